package relay

import (
	"errors"
	"io"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestBodyBreaksOff: the request to the app is not sent where the attempt has gone to
// another process meanwhile; and again from its beginning where it has not.
func TestBodyBreaksOff(t *testing.T) {
	lives := true
	m := Message{Event: ledger.Event{Body: []byte("{}")}, Lives: func() bool { return lives }}
	body := m.Body()()
	for range 2 {
		if text, err := io.ReadAll(body); string(text) != "{}" || err != nil {
			t.Errorf("the body is %q, %v", text, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	lives = false
	if text, err := io.ReadAll(body); len(text) > 0 || !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("after the attempt has gone it is %q, %v", text, err)
	}
}
