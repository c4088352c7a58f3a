package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/shop"
)

var latencies = flag.Int("latencies", 50, "how many payments TestLatency times")

// till is where buyers pay a fixed price, and their pages wait.
const till = `ccpayment_status /status
	ccpayment_checkout /buy {
		price 5
		order_id order-1
		limit off
	}`

func withTill(o *shop.Options) { o.Site = till }

// opened is the response to a click.
type opened struct {
	status  int
	OrderID string `json:"order_id"`
	URL     string `json:"checkout_url"`
	Token   string `json:"status_token"`
	text    string
}

func click(c *shop.Caddy) (o opened, err error) {
	response, err := processtest.Once.Post("http://"+c.Address+"/buy", "", nil)
	if err != nil {
		return o, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	o.status, o.text = response.StatusCode, string(text)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o, err
}

// TestPageElsewhere: a buyer's page that waits at one Caddy hears of a payment that
// another has confirmed.
func TestPageElsewhere(t *testing.T) { //nolint:tparallel // one after the other: each has three Caddys
	for _, m := range shop.Modes[:2] {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, m, postgrestest.Start(t), withTill)
			s.Start()
			s.SendTo(s.Caddys[0])
			order, err := click(s.Caddys[0])
			if err != nil || order.Token == "" {
				t.Fatalf("the click: %+v, %v", order, err)
			}
			type reply struct {
				state string
				err   error
				at    time.Time
			}
			waiting, done := make(chan struct{}), make(chan reply, 1)
			go func() {
				for first := true; ; first = false {
					state, err := waits(t.Context(), s.Caddys[1], order.Token, func() {
						if first {
							close(waiting)
						}
					})
					if err != nil || state == "paid" {
						done <- reply{state, err, time.Now()}
						return
					}
				}
			}()
			<-waiting
			if _, err := s.Box.Pay(t.Context(), sandbox.Payment{OrderID: "order-1", Instant: true}); err != nil {
				t.Fatal(err)
			}
			got := <-done
			if got.err != nil {
				t.Fatal(got.err)
			}
			processtest.Until(t, "the app has the payment", func() bool { return len(s.Attempts("Success")) > 0 })
			took := got.at.Sub(s.Attempts("Success")[0].At)
			t.Logf("the page at the second Caddy heard of it %s after the app did", took)
			if took > 20*time.Second {
				t.Errorf("the page heard of it after %s", took)
			}
		})
	}
}

// waits asks for an order as a buyer's page does, and returns what it gets. It calls
// asked when it has asked.
func waits(ctx context.Context, c *shop.Caddy, token string, asked func()) (state string, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { asked() }})
	url := "http://" + c.Address + "/status?wait=55s&t=" + token
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := processtest.Once.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var status struct{ State string }
	err = json.NewDecoder(response.Body).Decode(&status)
	return status.State, err
}

// TestThreeHundredClicks: one order has one checkout, however many ask for it at however
// many Caddys.
func TestThreeHundredClicks(t *testing.T) {
	t.Parallel()
	s := newShop(t, shop.Modes[0], postgrestest.Start(t), withTill)
	s.Start()
	var all sync.WaitGroup
	var mu sync.Mutex
	urls, statuses := make(map[string]int), make(map[int]int)
	began := time.Now()
	for i := range 300 {
		all.Go(func() {
			for try := 0; ; try++ {
				o, err := click(s.Caddys[(i+try)%caddys])
				mu.Lock()
				statuses[o.status]++
				mu.Unlock()
				if err == nil && o.status == http.StatusServiceUnavailable && try < 20 {
					<-time.After(100 * time.Millisecond)
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil || o.status/100 != 2 {
					t.Errorf("a click got %d %s, %v", o.status, o.text, err)
				}
				urls[o.URL]++
				return
			}
		})
	}
	all.Wait()
	calls := s.Calls.Of(create)
	t.Logf("300 clicks in %s: responses %v, %d calls", time.Since(began), statuses, calls)
	if calls != 1 || len(urls) != 1 {
		t.Errorf("CCPayment saw %d calls, and buyers %d checkouts: %v", calls, len(urls), urls)
	}
}

// create is the call that makes a checkout.
const create = "/createInvoiceUrl"

// TestThousandCopies: of as many copies of a webhook at all Caddys the app gets one, and
// all are acknowledged once it has taken that.
func TestThousandCopies(t *testing.T) {
	t.Parallel()
	s := newShop(t, shop.Modes[2], postgrestest.Start(t))
	s.App.Kill()
	s.App.Start(shop.TakesVariable + "=1s")
	s.Start()
	body := []byte(`{"type":"ApiDeposit","msg":{"recordId":"20250116000000000000000000000001","orderId":"order-1","coinId":1280,` +
		`"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`)
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[string]int)
	began := time.Now()
	for i := range 1000 {
		all.Go(func() {
			for try := 0; ; try++ {
				status, text, err := s.Outbox.Send(s.Caddys[(i+try)%caddys].Hook, body)
				mu.Lock()
				answers[fmt.Sprint(status)]++
				mu.Unlock()
				switch {
				case err == nil && status == http.StatusOK && text == "Success":
					return
				case err != nil || status != http.StatusServiceUnavailable || try == 20:
					t.Errorf("a copy got %d %s, %v", status, text, err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	attempts := s.Attempts("Success")
	t.Logf("1,000 copies in %s: responses %v, %d attempts", took, answers, len(attempts))
	if len(attempts) != 1 {
		t.Errorf("the app got %d", len(attempts))
	}
	shop.Check(t, s.History())
}

// TestLatency measures how long the app waits for what was acknowledged, without faults.
func TestLatency(t *testing.T) {
	s := newShop(t, shop.Modes[1], postgrestest.Start(t))
	s.Start()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for i := range *latencies { // fewer than can be handed over, so that nothing waits in line
		<-pause.C
		pays(t, s, fmt.Sprint("order-", i), 1)
	}
	s.Settle()
	h := s.History()
	shop.Check(t, h)
	first := make(map[string]time.Time)
	for _, a := range h.Attempts {
		if _, is := first[a.EventID]; !is {
			first[a.EventID] = a.At
		}
	}
	var waits []time.Duration
	seen := make(map[string]bool)
	for _, sent := range h.Sent {
		id := sent.Key.EventID()
		if at, is := first[id]; is && sent.Acknowledged > 0 && !seen[id] {
			seen[id] = true
			waits = append(waits, at.Sub(sent.At))
		}
	}
	slices.Sort(waits)
	t.Logf("from the acknowledgement to the app, of %d events: p50 %s, p90 %s, p99 %s, at most %s", len(waits),
		waits[len(waits)/2], waits[len(waits)*90/100], waits[len(waits)*99/100], waits[len(waits)-1])
}

// pays makes n orders and pays them.
func pays(t *testing.T, s *shop.Shop, name string, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		if err := s.Order(id, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pay(sandbox.Payment{OrderID: id, Amount: shop.Whole.Amount, Instant: true}); err != nil {
			t.Fatal(err)
		}
	}
}
