// Package worlds has whole processes share a ledger in virtual time, each with its relay,
// dispatcher, checkout and reconciler, between a gateway, buyers, an app and operators that
// are simulated, with faults that a seed decides.
package worlds
