// Package cluster has three Caddys share a ledger in PostgreSQL, and kills, stops and
// cuts off each of them and the database, while package history judges what the sender,
// the ledger and an app with an inbox have seen.
package cluster
