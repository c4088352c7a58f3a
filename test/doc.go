// Package test holds the tests that need Caddy as the program it is: reloads
// and restarts under load, what a second process may do, what stops it from
// starting. They build it themselves.
package test
