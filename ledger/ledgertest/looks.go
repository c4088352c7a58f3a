package ledgertest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// looks: of each account the store has the look that was saved last.
func looks(t *testing.T, s *store) {
	want := func(when, appID string, want ledger.Look) {
		t.Helper()
		if got, err := s.LoadLook(bg, appID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s the look is %+v, %v, want %+v", when, got, err, want)
		}
	}
	if look, err := s.LoadLook(bg, "app-123"); !errors.Is(err, ledger.ErrNotFound) {
		t.Fatalf("an empty ledger has the look %+v, %v", look, err)
	}
	at := start.UTC()
	first := ledger.Look{AppID: "app-123", Since: at, From: at, To: at}
	long := ledger.Look{AppID: strings.Repeat("long ", 100), Since: at, From: at, To: at, LastError: "the gateway is away"}
	for _, look := range []ledger.Look{first, long} {
		if err := s.SaveLook(bg, look); err != nil {
			t.Fatal(err)
		}
	}
	want("of the first account", "app-123", first)
	next := first
	next.To, next.LookedAt, next.Records, next.Told = at.Add(time.Hour), at.Add(2*time.Hour), 7, 2
	next.Waiting = []ledger.LookRecord{{Type: "ApiDeposit", ID: "1", Status: "Success", OrderID: "order-1", MadeAt: at, Missing: true, Why: "no route"}}
	if err := s.SaveLook(bg, next); err != nil {
		t.Fatal(err)
	}
	want("after the next look", "app-123", next)
	want("of the other account", long.AppID, long)
}
