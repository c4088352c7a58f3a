// Package apiclient is what the clients of payment APIs have in common: amounts and
// JSON from strangers, connections, and how long to wait for them.
package apiclient
