package ccpayment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestList: every record is listed once, over several pages, and the webhook that is made of
// it is about the same event as the one that came.
func TestList(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Success")) }))
	t.Cleanup(hook.Close)
	box, err := sandbox.New(sandbox.Options{AppID: "app-123", AppSecret: "secret-456", WebhookURL: hook.URL})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() { api.Close(); box.Close() })
	v, err := New(Config{AppID: "app-123", AppSecret: "secret-456", BaseURL: api.URL + "/ccpayment/v2"}, gateway.OpenOptions{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	from := box.Now()
	pay := func(p sandbox.Payment) {
		t.Helper()
		p.Instant, p.Wait = true, time.Minute
		if _, err := box.Pay(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	const payments = depositPage + 7
	for i := range payments - 2 {
		order := fmt.Sprintf("order-%d", i)
		if _, err := v.Client().CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: order, Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
			t.Fatal(err)
		}
		pay(sandbox.Payment{OrderID: order})
	}
	address, err := v.Client().PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "buyer-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	pay(sandbox.Payment{Address: address.Address, Amount: decimal.New(30, 0), Coin: "USDT"})
	pay(sandbox.Payment{Address: address.Address, Amount: decimal.New(3, 0), Coin: "USDT", Risky: true})
	_, err = v.Client().Withdraw(t.Context(), client.WithdrawalRequest{
		OrderID: "payout-1", CoinID: "1280", Chain: "TRX", Address: "TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf", Amount: decimal.New(5, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	box.Advance(time.Minute)

	came := make(map[gateway.Notice]bool)
	for _, d := range box.Deliveries() {
		n, err := v.Read([]byte(d.Body))
		if err != nil {
			t.Fatal(err)
		}
		came[n] = true
	}
	turns, seen := 0, make(map[string]bool)
	turn := func(context.Context) error { turns++; return nil }
	for listed, err := range v.List(t.Context(), from, box.Now(), turn) {
		if err != nil {
			t.Fatal(err)
		}
		n := listed.Notice
		if seen[n.RecordID] {
			t.Errorf("the record %s is listed twice", n.RecordID)
		}
		seen[n.RecordID] = true
		if !came[n] {
			t.Errorf("no webhook was about %+v", n)
		}
		found, err := v.FindRecord(t.Context(), gateway.Notice{Type: n.Type, RecordID: n.RecordID})
		if err != nil || found.Notice != n {
			t.Errorf("it is found as %+v, %v, and listed as %+v", found.Notice, err, n)
		}
	}
	if len(seen) != payments+1 || turns < 3 {
		t.Errorf("%d records are listed in %d turns, want %d in at least 3", len(seen), turns, payments+1)
	}

	stop := errors.New("no turn")
	for _, err := range v.List(t.Context(), from, box.Now(), func(context.Context) error { return stop }) {
		if !errors.Is(err, stop) {
			t.Errorf("without a turn: %v", err)
		}
	}
}
