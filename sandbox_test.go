package ccpayment_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// newGateway starts a CCPayment that delivers to the server, and a client of it.
func newGateway(t *testing.T, s *server, speed uint) (*sandbox.Sandbox, *client.Client) {
	t.Helper()
	box, c, _ := newSandbox(t, speed)
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	return box, c
}

// newSandbox starts a CCPayment, and returns it with a client and its base URL.
func newSandbox(t *testing.T, speed uint) (*sandbox.Sandbox, *client.Client, string) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: secret, Speed: speed})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() { api.Close(); box.Close() })
	connections := client.NewHTTPClient()
	t.Cleanup(connections.CloseIdleConnections)
	base := api.URL + "/ccpayment/v2"
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret},
		client.WithBaseURL(base), client.WithHTTPClient(connections))
	if err != nil {
		t.Fatal(err)
	}
	return box, c, base
}

// payInvoice creates an invoice and pays it; its webhooks are sent when it
// returns. Its record is the result.
func payInvoice(t *testing.T, box *sandbox.Sandbox, c *client.Client, p sandbox.Payment) string {
	t.Helper()
	_, err := c.CreateInvoice(t.Context(), client.InvoiceRequest{
		OrderID: p.OrderID, Price: decimal.RequireFromString("49.90"), PriceFiatID: "1033",
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Wait = patience
	paid, err := box.Pay(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return paid.RecordID
}

// deliveriesOf gives the tries of a record's webhooks of one status, oldest
// first.
func deliveriesOf(box *sandbox.Sandbox, recordID, status string) []sandbox.Delivery {
	var found []sandbox.Delivery
	for _, d := range box.Deliveries() {
		if d.RecordID == recordID && d.Status == status {
			found = append([]sandbox.Delivery{d}, found...)
		}
	}
	return found
}

// TestGatewaysWebhooks: what an independent CCPayment sends is verified, delivered
// once, and acknowledged.
func TestGatewaysWebhooks(t *testing.T) {
	s := start(t, setup{})
	box, c := newGateway(t, s, 1)
	if ping := box.Activate(t.Context()); !ping.OK || ping.HTTPStatus != http.StatusOK {
		t.Errorf("the activation ping got %+v", ping)
	}
	recordID := payInvoice(t, box, c, sandbox.Payment{OrderID: "order-1", Instant: true})
	for i, got := range s.app.wants(t, 2) {
		status := []string{"Processing", "Success"}[i]
		sent := deliveriesOf(box, recordID, status)
		if len(sent) != 1 || !sent[0].OK || sent[0].Body != got.body {
			t.Errorf("%s was sent as %+v and delivered as %q", status, sent, got.body)
		}
		for name, want := range map[string]string{
			"Ccpayment-Type": "ApiDeposit", "Ccpayment-Status": status, "Ccpayment-Record-Id": recordID,
			"Ccpayment-Order-Id": "order-1", "Ccpayment-Risky": "",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s of %s is %q, want %q", name, status, got.header.Get(name), want)
			}
		}
	}
}

// schedule is when CCPayment tries again, counted from the first try.
var schedule = []time.Duration{
	30 * time.Second, 90 * time.Second, 210 * time.Second, 450 * time.Second, 930 * time.Second, 1890 * time.Second,
}

// TestGatewaysRetries: the retries arrive on the schedule, 600 times as fast.
func TestGatewaysRetries(t *testing.T) {
	const speed = 600
	var mu sync.Mutex
	arrivals := make(map[string][]time.Time)
	s := start(t, setup{app: func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		arrivals[r.Header.Get("Ccpayment-Status")] = append(arrivals[r.Header.Get("Ccpayment-Status")], time.Now())
		w.WriteHeader(http.StatusInternalServerError)
	}})
	box, c := newGateway(t, s, speed)
	recordID := payInvoice(t, box, c, sandbox.Payment{OrderID: "order-1", Instant: true})
	await(t, "the last retry", func() bool { return len(deliveriesOf(box, recordID, "Success")) == 1+len(schedule) })

	mu.Lock()
	defer mu.Unlock()
	seen := arrivals["Success"]
	if len(seen) != 1+len(schedule) {
		t.Fatalf("the app saw %d attempts", len(seen))
	}
	tries := deliveriesOf(box, recordID, "Success")
	for i, offset := range schedule {
		due, try := offset/speed, tries[i+1]
		if got := time.Duration(try.Offset); got.Round(time.Millisecond) != due.Round(time.Millisecond) {
			t.Errorf("retry %d was due after %s, want %s", i+1, got, due)
		}
		// The log and the app use one clock. How late a try is depends on the
		// machine; early it must not be.
		if seen[i+1].Before(try.At) {
			t.Errorf("retry %d was due at %s and came at %s", i+1, try.At, seen[i+1])
		}
		if try.HTTPStatus != http.StatusBadGateway || try.OK {
			t.Errorf("retry %d got %+v", i+1, try)
		}
	}
}

// TestGatewaysResend: a webhook that no retry could deliver arrives when it is
// asked for again, with the key that it always had.
func TestGatewaysResend(t *testing.T) {
	s := start(t, setup{app: status(http.StatusInternalServerError)})
	box, c := newGateway(t, s, 1)
	paidAfter := box.Now().Add(-time.Minute)
	recordID := payInvoice(t, box, c, sandbox.Payment{OrderID: "order-1", Instant: true})
	box.Advance(time.Hour)
	tries := deliveriesOf(box, recordID, "Success")
	if len(tries) != 1+len(schedule) || tries[len(tries)-1].NextAt != nil {
		t.Fatalf("%d tries, the last %+v", len(tries), tries[len(tries)-1])
	}

	s.app.answers(nil)
	before := s.app.received()
	count, err := c.ResendWebhooks(t.Context(), client.ResendRequest{From: paidAfter, To: paidAfter.Add(time.Hour)})
	if err != nil || count != 1 {
		t.Fatalf("resent %d, %v", count, err)
	}
	await(t, "the webhook arrives", func() bool {
		tries := deliveriesOf(box, recordID, "Success")
		return tries[len(tries)-1].OK
	})
	after := s.app.wants(t, len(before)+1)
	last, first := after[len(after)-1].header, http.Header{}
	for _, r := range before {
		if r.header.Get("Ccpayment-Status") == "Success" {
			first = r.header
			break
		}
	}
	if last.Get("Ccpayment-Status") != "Success" || last.Get("Idempotency-Key") != first.Get("Idempotency-Key") || last.Get("Ccpayment-Attempt") != "8" {
		t.Errorf("it came as %v, first as %v", last, first)
	}
}
