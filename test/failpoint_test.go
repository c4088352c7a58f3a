package test

import (
	"bytes"
	"os"
	"testing"
)

// The fail points at which the tests of crashes end Caddy are in no build but theirs.
func TestNoFailpoints(t *testing.T) {
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(program, []byte("caddy-ccpayment/ledger")) {
		t.Error("the program does not name its packages: this test finds nothing")
	}
	if bytes.Contains(program, []byte("internal/failpoint")) || bytes.Contains(program, []byte("CCPAYMENT_FAILPOINT")) {
		t.Error("a normal build knows of failpoints")
	}
}
