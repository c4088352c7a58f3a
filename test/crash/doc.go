// Package crash kills Caddy, at chosen points of its code and at random moments
// under load, and has package history judge what the sender, the ledger and an
// app with an inbox have seen.
package crash
