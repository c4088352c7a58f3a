package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestActsOnFlagsAlone: the shop ships and credits where Caddy says so, once,
// and nowhere else; a restart forgets none of it.
func TestActsOnFlagsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox.jsonl")
	box, err := openInbox(path)
	if err != nil {
		t.Fatal(err)
	}
	hook := receive(box, "token", 0)
	deliver := func(key string, header map[string]string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(`{"type":"ApiDeposit","msg":{"status":"Success","orderId":"order-1"}}`))
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("Ccpayment-Status", "Success")
		r.Header.Set("Ccpayment-Order-Id", "order-1")
		for name, value := range header {
			r.Header.Set("Ccpayment-"+name, value)
		}
		w := httptest.NewRecorder()
		hook(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s was answered %d %s", key, w.Code, w.Body)
		}
	}
	done := func(box *inbox) (done []string) {
		for _, e := range box.seen() {
			if e.Done != "" {
				done = append(done, e.Done)
			}
		}
		return done
	}

	deliver("unconfirmed", nil)
	deliver("state without the flag", map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"})
	if got := done(box); got != nil {
		t.Fatalf("without a flag the shop %v", got)
	}
	deliver("carrier", map[string]string{"Fulfill": "true", "Record-Seq": "1"}) // behind all the others
	deliver("carrier", map[string]string{"Fulfill": "true"})
	deliver("carrier of a ledger that was lost", map[string]string{"Fulfill": "true"})
	deliver("deposit", map[string]string{"Credit": "true", "Amount": "3.5", "Coin": "USDT", "Reference-Id": "buyer-1"})
	deliver("deposit", map[string]string{"Credit": "true", "Amount": "3.5", "Coin": "USDT", "Reference-Id": "buyer-1"})

	want := []string{"ships order-1", "credits 3.5 USDT to buyer-1"}
	again, err := openInbox(path)
	if err != nil {
		t.Fatal(err)
	}
	for when, box := range map[string]*inbox{"at first": box, "after a restart": again} {
		if got := done(box); !slices.Equal(got, want) {
			t.Errorf("%s the shop did %q, want %q", when, got, want)
		}
	}
}
