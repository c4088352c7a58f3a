// Package power cuts the power of a Caddy under load: it records what Caddy writes and
// syncs, makes of it what a disk may hold after a cut at any moment, and judges the
// ledger that opens there by what was acknowledged until then.
package power
