package main

import (
	"encoding/json"
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
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	bought, err := j.order("cart", []line{{"cap", 1}})
	if err != nil {
		t.Fatal(err)
	}
	hook := receive(j, "token", 0)
	deliver := func(key string, header map[string]string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(`{"type":"ApiDeposit","msg":{"status":"Success"}}`))
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("Ccpayment-Status", "Success")
		r.Header.Set("Ccpayment-Order-Id", bought.ID)
		for name, value := range header {
			r.Header.Set("Ccpayment-"+name, value)
		}
		w := httptest.NewRecorder()
		hook(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s was answered %d %s", key, w.Code, w.Body)
		}
	}
	done := func(j *journal) (done []string) {
		for _, e := range j.seen() {
			if e.Done != "" {
				done = append(done, e.Done)
			}
		}
		return done
	}

	deliver("unconfirmed", nil)
	deliver("state without the flag", map[string]string{"Confirmed": "true", "Order-State": "paid", "Reason": "already_fulfilled"})
	if got := done(j); got != nil {
		t.Fatalf("without a flag the shop %v", got)
	}
	deliver("carrier", map[string]string{"Fulfill": "true", "Record-Seq": "1"}) // behind all the others
	deliver("carrier", map[string]string{"Fulfill": "true"})
	deliver("carrier of a ledger that was lost", map[string]string{"Fulfill": "true"})
	deposit := map[string]string{"Credit": "true", "Record-Id": "record-1", "Amount": "3.5", "Coin": "USDT", "Reference-Id": "buyer-1"}
	deliver("deposit", deposit)
	deliver("deposit", deposit)
	deliver("deposit of a ledger that was lost", deposit)

	want := []string{"ships " + bought.ID, "credits 3.5 USDT to buyer-1"}
	again, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for when, j := range map[string]*journal{"at first": j, "after a restart": again} {
		if got := done(j); !slices.Equal(got, want) {
			t.Errorf("%s the shop did %q, want %q", when, got, want)
		}
	}
}

// TestFlagOnRepeat: an event that was kept without the flag ships its order, or
// credits its deposit, when it comes again with it, and does so once.
func TestFlagOnRepeat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	bought, err := j.order("cart", []line{{"cap", 1}})
	if err != nil {
		t.Fatal(err)
	}
	part := event{Key: "part", RecordID: "record-1", OrderID: bought.ID, OrderState: "partial"}
	paid := part
	paid.Fulfill, paid.OrderState = true, "paid"
	deposit := event{Key: "deposit", RecordID: "record-2", Amount: "3.5", Coin: "USDT", ReferenceID: "buyer-1"}
	credited := deposit
	credited.Credit = true

	ships, credits := "ships "+bought.ID, "credits 3.5 USDT to buyer-1"
	for _, step := range []struct {
		event event
		does  string
	}{{part, ""}, {part, ""}, {paid, ships}, {paid, ""}, {part, ""}, {deposit, ""}, {credited, credits}, {credited, ""}, {deposit, ""}} {
		if does, _, err := j.keep(step.event); err != nil || does != step.does {
			t.Errorf("%+v: the shop %q, want %q; %v", step.event, does, step.does, err)
		}
	}
	again, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for when, j := range map[string]*journal{"at first": j, "after a restart": again} {
		events := j.seen()
		if len(events) != 2 || events[0].Done != ships || events[1].Done != credits {
			t.Errorf("%s the inbox has %+v", when, events)
		}
		if o, _ := j.find(bought.ID); !o.Shipped || o.show() != "paid" {
			t.Errorf("%s the order is %q, shipped %t", when, o.show(), o.Shipped)
		}
	}
}

// TestBuying: the shop prices a cart by itself, the same cart is the same order,
// and other goods are another one.
func TestBuying(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	handler := newHandler(j, "token", 0)
	buy := func(form string) (int, terms) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "http://shop.example/buy", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var asked terms
		_ = json.Unmarshal(w.Body.Bytes(), &asked)
		return w.Code, asked
	}

	code, first := buy("cart=a&cap=1&mug=2&price=0.01&account=coins")
	if code != http.StatusPaymentRequired || first.Price.String() != "78.9" || first.Product != "1 × Cap, 2 × Mug" || first.Account != "coins" ||
		first.ReturnURL != "https://shop.example/orders/"+first.OrderID+"?account=coins" {
		t.Fatalf("%d %+v", code, first)
	}
	for form, same := range map[string]bool{
		"cart=a&cap=1&mug=2": true, "order=" + first.OrderID: true, "cart=a&cap=9": false, "cart=b&cap=1&mug=2": false,
	} {
		if code, again := buy(form + "&account="); code != http.StatusPaymentRequired || (again.OrderID == first.OrderID) != same {
			t.Errorf("%s: %d %+v", form, code, again)
		}
	}
	for _, form := range []string{"", "cart=a", "cap=-1", "cap=10", "cap=1.5", "order=order-unknown"} {
		if code, _ := buy(form); code != http.StatusUnprocessableEntity {
			t.Errorf("%q was answered %d", form, code)
		}
	}
	for form, status := range map[string]int{"cart=a&cap=1&mug=2": http.StatusSeeOther, "order=" + first.OrderID + "&account=gold": http.StatusBadRequest} {
		if code, _ := buy(form); code != status {
			t.Errorf("%s: without a choice that there is it was answered %d", form, code)
		}
	}
	if _, _, err := j.keep(event{Key: "k", OrderID: first.OrderID, Fulfill: true}); err != nil {
		t.Fatal(err)
	}
	if code, _ := buy("order=" + first.OrderID); code != http.StatusSeeOther {
		t.Errorf("buying what is shipped was answered %d", code)
	}
}
