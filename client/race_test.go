//go:build race

package client_test

// raceEnabled: the race detector allocates, and makes sync.Pool forget.
const raceEnabled = true
