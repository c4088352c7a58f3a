package ccpayment_test

import (
	"net/http"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// TestCoinPaymentsLostWebhooks: what lost webhooks about an invoice were to tell is told from
// the invoice, once; the webhooks that come late are copies.
func TestCoinPaymentsLostWebhooks(t *testing.T) {
	// The block of the account ends in front of that of reconcile.
	s := newCPShop(t, "}\nreconcile {\nevery 50ms\ngrace 1ms")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
		t.Fatal(err)
	}
	page := s.buys(201)
	s.pays(page, "")
	told := s.hears("the order is paid", hasStatus("Paid"))
	told.says(t, map[string]string{
		"Ccpayment-Fulfill": "true", "Ccpayment-Order-State": "paid", "Ccpayment-Coin": "LTC",
		"Ccpayment-Attempt-Reason": "backfill", "Ccpayment-Record-Id": invoiceOf(page),
	})
	s.box.ClearFaults()
	s.box.Advance(600e9) // the gateway's own retries
	s.fulfilled(1)
	keys := make(map[string]int)
	for _, call := range s.hooks() {
		if keys[call.header.Get("Idempotency-Key")]++; call.header.Get("Ccpayment-Status") == "Paid" && call.header.Get("Idempotency-Key") != told.header.Get("Idempotency-Key") {
			t.Errorf("the webhook is another event: %v", call.header)
		}
	}
	for key, times := range keys {
		if times != 1 {
			t.Errorf("the app was sent %s %d times", key, times)
		}
	}
}

// TestCoinPaymentsLostDeposits: what lost webhooks about wallets were to tell is told once: a
// deposit to an address that was made through ccpayment_api, and a payout. A deposit to
// another address is not the app's.
func TestCoinPaymentsLostDeposits(t *testing.T) {
	s := newCPAPIShop(t, "allow read deposit withdraw wallet", cpAPISite)
	s.setup.account += "\nreconcile {\nevery 50ms\ngrace 1ms\n}"
	s.load(s.setup)
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
		t.Fatal(err)
	}
	hears := func(what, recordID string) http.Header {
		t.Helper()
		var found http.Header
		await(t, "the app is told of "+what, func() bool {
			for _, call := range s.app.received() {
				if call.header.Get("Ccpayment-Record-Id") == recordID && call.header.Get("Ccpayment-Status") == "Success" {
					found = call.header
				}
			}
			return found != nil
		})
		return found
	}
	pay := func(address string) string {
		t.Helper()
		paid, err := s.coins.Pay(t.Context(), cpbox.Payment{Address: address, Amount: decimal.New(3, 0), Instant: true})
		if err != nil {
			t.Fatal(err)
		}
		return paid.RecordID
	}
	wallet := s.ask("POST", "/api/v2/merchant/wallets", `{"currency":"2","label":"till"}`, 200)
	path := "/api/v2/merchant/wallets/" + wallet.member(t, "walletId")
	foreign := pay(wallet.member(t, "address"))
	told := hears("the deposit", pay(s.ask("POST", path+"/addresses", "", 200).member(t, "networkAddress")))
	if told.Get("Ccpayment-Credit") != "true" || told.Get("Ccpayment-Attempt-Reason") != "backfill" {
		t.Errorf("the deposit came as %v", told)
	}
	to := s.ask("POST", path+"/addresses", "", 200).member(t, "networkAddress")
	spend := s.ask("POST", path+"/spend/request", `{"toAddress":"`+to+`","toCurrency":"2","amount":"1"}`, 200).member(t, "spendRequestId")
	s.ask("POST", path+"/spend/confirmation", `{"spendRequestId":"`+spend+`"}`, 204)
	record := s.ask("GET", path+"/transaction?spendRequestId="+spend, "", 200).member(t, "id")
	if told = hears("the payout", record); told.Get("Ccpayment-Type") != "WalletWithdrawal" {
		t.Errorf("the payout came as %v", told)
	}
	times := make(map[string]int)
	for _, call := range s.app.received() {
		if times[call.header.Get("Idempotency-Key")]++; call.header.Get("Ccpayment-Record-Id") == foreign {
			t.Errorf("the app was told of a deposit that is not its own: %v", call.header)
		}
	}
	for key, n := range times {
		if n != 1 {
			t.Errorf("the app was sent %s %d times", key, n)
		}
	}
}

// TestCoinPaymentsFailedPayout: no webhook says that a payout has failed. The app is told of it
// from the records, once, whether it heard that the payout was on its way or not.
func TestCoinPaymentsFailedPayout(t *testing.T) {
	for name, isHeard := range map[string]bool{"after it was on its way": true, "unheard of": false} {
		t.Run(name, func(t *testing.T) {
			s := newCPAPIShop(t, "allow read deposit withdraw wallet", cpAPISite)
			s.setup.account += "\nreconcile {\nevery 50ms\ngrace 1ms\n}"
			s.load(s.setup)
			if !isHeard {
				if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
					t.Fatal(err)
				}
			}
			s.coins.SetApproval(true)
			wallet := s.ask("POST", "/api/v2/merchant/wallets", `{"currency":"1002","label":"till"}`, 200)
			path := "/api/v2/merchant/wallets/" + wallet.member(t, "walletId")
			if err := s.coins.Credit(wallet.member(t, "walletId"), decimal.New(3, 0)); err != nil {
				t.Fatal(err)
			}
			spend := s.ask("POST", path+"/spend/request", `{"toAddress":"mtxASJZHNmGeUPQ3DxLvJeKja6Lh7TcJM9","toCurrency":"1002","amount":"1"}`, 200).member(t, "spendRequestId")
			s.ask("POST", path+"/spend/confirmation", `{"spendRequestId":"`+spend+`"}`, 204)
			if isHeard {
				if err := s.coins.SettleWithdrawal(spend, "processing"); err != nil {
					t.Fatal(err)
				}
				await(t, "the app hears that it is on its way", func() bool { return len(s.app.received()) > 0 })
			}
			if err := s.coins.SettleWithdrawal(spend, "failed"); err != nil {
				t.Fatal(err)
			}
			failures := func() (n int) {
				for _, call := range s.app.received() {
					if call.header.Get("Ccpayment-Payout") == "failed" {
						n++
						call.says(t, map[string]string{"Ccpayment-Status": "Failed", "Ccpayment-Kind": "payout", "Ccpayment-Reference-Id": spend, "Ccpayment-Payout": "failed"})
					}
				}
				return n
			}
			await(t, "the app is told that the payout has failed", func() bool { return failures() > 0 })
			var looked struct{ Accounts []any }
			s.server.ask(http.MethodPost, "reconcile", `{}`, http.StatusOK, &looked)
			await(t, "nothing waits", func() bool {
				for _, e := range s.list("").Events {
					if e.State != "delivered" {
						return false
					}
				}
				return true
			})
			if n := failures(); n != 1 {
				t.Errorf("the app was told %d times", n)
			}
		})
	}
}
