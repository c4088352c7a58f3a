package test

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// TestReconcileCommand: the command shows what is missing, with an exit code for scripts, and
// has the app told of it.
func TestReconcileCommand(t *testing.T) {
	s := newCLIShop(t)
	s.stop()
	s.start(strings.Replace(cliCaddyfile, "store bolt", "reconcile {\n every off\n scope account\n grace 1ms\n }\n store bolt", 1))
	s.ask(0, "reconcile")
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "webhook", Drop: "before", Times: -1}); err != nil {
		t.Fatal(err)
	}
	s.box.Advance(time.Second) // gateways count in seconds, and the ledger is a new one
	api, err := client.New(client.Credentials{AppID: appID, AppSecret: appSecret}, client.WithBaseURL(baseURL(s.env)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateInvoice(t.Context(), client.InvoiceRequest{OrderID: "order-1", Price: decimal.New(10, 0), PriceFiatID: "1033"}); err != nil {
		t.Fatal(err)
	}
	paid, err := s.box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true})
	if err != nil {
		t.Fatal(err)
	}

	s.ask(2, "reconcile", "--since", "tomorrow")
	s.ask(2, "reconcile", "--account", "other")
	s.ask(2, "reconcile", "dismiss", "record")
	s.ask(2, "reconcile", "dismiss", "--reason", "settled by hand")
	processtest.Until(t, "the record is missing", func() bool {
		out, _, code := ccpaymentIn(t, s.env, "", "reconcile", "--dry-run", "--address", s.admin)
		return code == 3 && strings.Contains(out, paid.RecordID) && strings.Contains(out, "order-1")
	})
	if out, _ := s.ask(0, "events", "list"); strings.Contains(out, "ApiDeposit") {
		t.Errorf("the dry run has told the app:\n%s", out)
	}
	if out, _ := s.ask(0, "reconcile", "--json"); !strings.Contains(out, `"told":1`) {
		t.Errorf("it prints %s", out)
	}
	processtest.Until(t, "the app is told", func() bool {
		out, _ := s.ask(0, "events", "list", "--state", "delivered")
		return strings.Contains(out, "fulfill")
	})
}

// baseURL is the API's, as an environment has it.
func baseURL(env []string) (url string) {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "CCPAYMENT_BASE_URL="); ok {
			url = value
		}
	}
	return url
}
