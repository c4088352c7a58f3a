//go:build race

package crash

// race: Caddy is built with the race detector, as this test is.
const race = true
