package cluster

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

// look has a Caddy look at the account's records now.
func look(c *shop.Caddy) (status int, body string) {
	response, err := http.Post("http://"+c.Admin+"/ccpayment/reconcile", "application/json", strings.NewReader("{}"))
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// TestOneLooks: of the Caddys that share a ledger one looks at the records at a time. Where
// it is killed meanwhile, another one goes on, and the app is told of everything once: of what
// one of them has made through the API, all know that it is the app's.
func TestOneLooks(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t)
	s := newShop(t, shop.Modes[1], database, func(o *shop.Options) {
		o.Caddys = 2
		o.Store += "\nreconcile {\n every off\n grace 1ms\n }"
		o.Site = "handle_path /api/* {\n ccpayment_api\n }"
	})
	s.Start()
	first, second := s.Caddys[0], s.Caddys[1]
	processtest.Until(t, "the account is noted", func() bool {
		status, _ := look(first)
		return status == http.StatusOK
	})
	const list, orders = "getAppDepositRecordList", 5
	faults := func(slow bool) {
		t.Helper()
		all := []sandbox.Fault{{Endpoint: "webhook", Drop: "before", Times: -1}}
		if slow {
			all = append(all, sandbox.Fault{Endpoint: list, DelayMS: 60_000, Times: 1})
		}
		if err := s.Box.SetFaults(all...); err != nil {
			t.Fatal(err)
		}
	}
	faults(true)
	s.Box.Advance(time.Second) // gateways count in seconds, and the ledger is a new one
	for i := range orders {
		order := fmt.Sprintf("order-%d", i)
		made, err := http.Post("http://"+first.Address+"/api/createAppOrderDepositAddress", "application/json",
			strings.NewReader(fmt.Sprintf(`{"orderId":%q,"coinId":1280,"chain":"TRX","price":"10"}`, order)))
		if err != nil || made.StatusCode != http.StatusOK {
			t.Fatalf("making an order through the API: %v, %v", made, err)
		}
		made.Body.Close()
		if _, err := s.Box.Pay(t.Context(), sandbox.Payment{OrderID: order, Amount: shop.Whole.Amount, Instant: true}); err != nil {
			t.Fatal(err)
		}
	}
	before, ended := s.Calls.Of(list), make(chan struct{})
	go func() {
		look(first)
		close(ended)
	}()
	processtest.Until(t, "the first lists the records", func() bool { return s.Calls.Of(list) > before })
	if status, body := look(second); status != http.StatusConflict {
		t.Errorf("the second looks at the same time: %d %s", status, body)
	}
	first.Kill()
	<-ended
	faults(false)
	processtest.Until(t, "the second looks", func() bool {
		status, _ := look(second)
		return status == http.StatusOK
	})
	first.Start()
	told := make(map[string]int)
	processtest.Until(t, "the app has all payments", func() bool {
		look(first)
		look(second)
		clear(told)
		for _, a := range s.Attempts("Success") {
			told[a.EventID]++
		}
		return len(told) >= orders
	})
	look(first)
	look(second)
	s.Settle()
	fulfilled := 0
	for _, a := range s.Attempts("Success") {
		if a.Number > 1 || a.Reason != "backfill" {
			t.Errorf("attempt %d was made because of %s", a.Number, a.Reason)
		}
		if a.Fulfill {
			fulfilled++
		}
	}
	if len(told) != orders || fulfilled != orders {
		t.Errorf("the app was told of %d payments of %d, and to fulfil %d orders", len(told), orders, fulfilled)
	}
}
