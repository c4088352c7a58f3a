package ccpayment_test

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// scene is what happens to one order and, beside it, to one user's address.
type scene struct {
	kind     string
	payments []act
	deposits []decimal.Decimal
	// refuses is of which calls the app says no to one.
	refuses int
}

// act is one payment of the order.
type act struct {
	share       int64 // of what is due at first, in percent
	status      string
	risky, late bool
	flips       bool // its risk changes when every webhook has been sent once
}

var scenes = rapid.Custom(func(t *rapid.T) scene {
	s := scene{
		kind:    rapid.SampledFrom([]string{"invoice in fiat", "order in fiat", "order in coin"}).Draw(t, "kind"),
		refuses: rapid.IntRange(2, 4).Draw(t, "refuses"),
	}
	for range rapid.IntRange(1, 4).Draw(t, "payments") {
		s.payments = append(s.payments, act{
			share:  rapid.SampledFrom([]int64{100, 100, 50, 50, 25, 150}).Draw(t, "share"),
			status: rapid.SampledFrom([]string{"success", "success", "success", "failed"}).Draw(t, "status"),
			risky:  rapid.IntRange(0, 5).Draw(t, "risky") == 0,
			late:   rapid.IntRange(0, 5).Draw(t, "late") == 0,
			flips:  rapid.IntRange(0, 9).Draw(t, "flips") == 0,
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "deposits") {
		s.deposits = append(s.deposits, decimal.New(rapid.Int64Range(1, 9_999_999).Draw(t, "amount"), -6))
	}
	return s
})

// TestMoneyThroughCaddy: scenes are played by a sandbox to a listening Caddy,
// behind APIs whose orders lag and an app that refuses now and then. When all
// retries are over, one event has fulfilled each order that was paid and none
// one that was not, and each user is credited what the sandbox credited.
func TestMoneyThroughCaddy(t *testing.T) {
	for name, webhook := range map[string]string{
		"pass-through":      "",
		"store-and-forward": "deliver {\nreverse_proxy $APP\n}\nretry {\nfirst 10ms\nmax 50ms\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s, front := newAlteredShop(t, webhook)
			if err := s.box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
				t.Fatal(err)
			}
			orderReads := 0
			front.alters(func(call, answer string) string {
				if call == "getAppOrderInfo" || call == "getInvoiceOrderInfo" {
					if orderReads++; orderReads%5 == 0 { // as it was a moment ago
						answer = strings.ReplaceAll(answer, `"status":"Success"`, `"status":"Processing"`)
					}
				}
				return answer
			})
			for n := range *rounds {
				s.play(scenes.Example(n), strconv.Itoa(n))
			}
			for n := range *rounds { // what came late has not spoilt the books
				if wrong := s.audit(scenes.Example(n), strconv.Itoa(n)); wrong != "" {
					t.Errorf("%+v: %s", scenes.Example(n), wrong)
				}
			}
		})
	}
}

func (s *shop) play(sc scene, n string) {
	s.t.Helper()
	order, user := "order-"+n, "user-"+n
	var mu sync.Mutex
	calls := 0
	s.app.answers(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%sc.refuses == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	if err := kinds[sc.kind](s, order); err != nil {
		s.t.Fatal(err)
	}
	address, err := s.c.UserDepositAddress(s.t.Context(), client.UserAddressRequest{UserID: user, Chain: "TRX"})
	if err != nil {
		s.t.Fatal(err)
	}
	var all sync.WaitGroup
	records := make([]string, len(sc.payments))
	send := func(p sandbox.Payment, record *string) {
		p.Instant, p.Wait = true, patience
		all.Go(func() {
			paid, err := s.box.Pay(s.t.Context(), p)
			if err != nil {
				s.t.Error(err)
			}
			*record = paid.RecordID
		})
	}
	for i, one := range sc.payments {
		send(sandbox.Payment{
			OrderID: order, Amount: decimal.New(one.share, -1).Mul(decimal.RequireFromString("1.0001")).RoundUp(6),
			Status: one.status, Risky: one.risky, Late: one.late,
		}, &records[i])
	}
	for _, amount := range sc.deposits {
		send(sandbox.Payment{Address: address.Address, Coin: "USDT", Amount: amount}, new(string))
	}
	all.Wait()
	for i, one := range sc.payments {
		if one.flips {
			if err := s.box.SetRisky(records[i], !one.risky); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.box.Advance(time.Hour)
	await(s.t, fmt.Sprintf("the books of scene %s, %+v", n, sc), func() bool { return s.audit(sc, n) == "" })
}

// audit compares what the app got with the sandbox's records, and returns what is
// wrong.
func (s *shop) audit(sc scene, n string) string {
	s.t.Helper()
	order, user := "order-"+n, "user-"+n
	fulfilled, credits := map[string]bool{}, map[string]decimal.Decimal{}
	for _, call := range s.app.received() {
		key := call.header.Get("Idempotency-Key")
		if call.header.Get("Ccpayment-Fulfill") == "true" && call.header.Get("Ccpayment-Order-Id") == order {
			fulfilled[key] = true
		}
		if call.header.Get("Ccpayment-Credit") == "true" && call.header.Get("Ccpayment-User-Id") == user {
			credits[key] = decimal.RequireFromString(call.header.Get("Ccpayment-Amount")).
				Sub(decimal.RequireFromString(call.header.Get("Ccpayment-Fee")))
		}
	}
	credited := decimal.Zero
	for _, net := range credits {
		credited = credited.Add(net)
	}
	if want := s.box.Balance(user, 1280); !credited.Equal(want) || len(credits) != len(sc.deposits) {
		return fmt.Sprintf("%s was credited by %d events, and %s by the sandbox", credited, len(credits), want)
	}
	due, sum := s.truth(sc.kind, order)
	enough := sum.Cmp(due.Mul(due, big.NewRat(999_999, 1_000_000))) >= 0
	flips := slices.ContainsFunc(sc.payments, func(one act) bool { return one.flips })
	if len(fulfilled) > 1 || !flips && (len(fulfilled) == 1) != enough {
		return fmt.Sprintf("fulfilled by %d events; %s of %s was paid", len(fulfilled), sum.FloatString(6), due.FloatString(6))
	}
	return ""
}

// truth is what is due of an order and what was paid, by the sandbox's records.
func (s *shop) truth(kind, id string) (due, sum *big.Rat) {
	s.t.Helper()
	sum = new(big.Rat)
	if kind == "invoice in fiat" {
		invoice, err := s.c.Invoice(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, p := range invoice.PaidList {
			if p.Status == client.StatusSuccess && p.Risk == client.RiskNone {
				sum.Add(sum, p.PaidValue.Rat())
			}
		}
		return invoice.Price.Rat(), sum
	}
	order, err := s.c.DepositOrder(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range order.PaidList {
		if p.Status == client.StatusSuccess && p.Risk == client.RiskNone {
			worth := new(big.Rat).Mul(p.Amount.Rat(), p.Rate.Rat())
			sum.Add(sum, worth.Quo(worth, order.Rate.Rat()))
		}
	}
	return order.AmountToPay.Rat(), sum
}
