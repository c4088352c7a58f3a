//go:build !race

package shop

// race: Caddy is built with the race detector, as the tests are.
const race = false
