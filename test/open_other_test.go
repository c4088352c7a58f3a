//go:build !linux

package test

import "testing"

// These need /proc. Elsewhere the file's lock shows a ledger that is open
// twice: the second opening fails.

func checkLedgerIsOpenOnce(*testing.T, *server) {}

func waitUntilLedgerIsClosed(*testing.T, *server) {}

func memory(*testing.T, *server) int { return 0 }
