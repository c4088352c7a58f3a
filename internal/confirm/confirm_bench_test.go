package confirm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

const (
	benchLatency    = 20 * time.Millisecond
	benchDeliveries = 64
)

// confirmBench is a CCPayment that takes its time, and events to be confirmed.
type confirmBench struct {
	*testing.B
	credentials client.Credentials
	account     *gateway.Account
	ccpayment   *ccpayment.V2
	ledger      *ledger.Ledger
	box         *sandbox.Sandbox
	api         string
	connections *http.Client // of the bare client
	calls       atomic.Int64
	notices     []gateway.Notice
	events      []ledger.Event
}

// BenchmarkConfirm confirms 64 events at once, with an API that responds in
// 20 ms. In the same run a bare client makes as many calls, one after the other
// for each event: `of-bare` is how near confirming comes to its pace, and
// `of-ideal` to that of the API's latency alone. `calls` are those of an event.
// Payments of one order wait for a read in flight before they share the next:
// up to one round trip more, for about half the calls.
func BenchmarkConfirm(b *testing.B) {
	for _, c := range []struct {
		name  string
		trips int // one after the other, where there is nothing to share
		pay   func(*confirmBench) (records, orders []string)
	}{
		{"deposit", 1, (*confirmBench).payAddress},
		{"order", 2, func(c *confirmBench) ([]string, []string) { return c.payOrders(benchDeliveries) }},
		{"invoice", 2, (*confirmBench).payInvoices},
		{"one-order", 2, func(c *confirmBench) ([]string, []string) { return c.payOrders(1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			bench := newConfirmBench(b)
			records, orders := c.pay(bench)
			bench.listen(records, orders)
			bench.compare(c.trips, records)
		})
	}
}

func newConfirmBench(b *testing.B) *confirmBench {
	c := &confirmBench{B: b, credentials: client.Credentials{AppID: "app-123", AppSecret: "secret-456"}}
	box, err := sandbox.New(sandbox.Options{
		AppID: c.credentials.AppID, AppSecret: c.credentials.AppSecret, Latency: benchLatency,
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.calls.Add(1)
		box.ServeHTTP(w, r)
	}))
	c.box, c.api, c.connections = box, server.URL+"/ccpayment/v2", client.NewHTTPClient()
	own := client.NewHTTPClient()
	b.Cleanup(func() {
		own.CloseIdleConnections()
		c.connections.CloseIdleConnections()
		server.Close()
		box.Close()
	})
	c.ccpayment, err = ccpayment.New(
		ccpayment.Config{AppID: c.credentials.AppID, AppSecret: c.credentials.AppSecret, BaseURL: c.api},
		gateway.OpenOptions{Account: "bench", Timeout: 10 * time.Second, HTTP: own},
	)
	if err != nil {
		b.Fatal(err)
	}
	store, err := bolt.Open(filepath.Join(b.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	c.ledger = ledger.New(store, time.Now)
	c.account = &gateway.Account{Gateway: c.ccpayment, Info: c.ccpayment.Info(), Budget: 40 * time.Second}
	return c
}

func (c *confirmBench) pay(p sandbox.Payment) string {
	p.Instant, p.Wait = true, time.Minute
	paid, err := c.box.Pay(c.Context(), p)
	if err != nil {
		c.Fatal(err)
	}
	return paid.RecordID
}

func (c *confirmBench) payAddress() (records, orders []string) {
	address, err := c.ccpayment.Client().PermanentAddress(c.Context(), client.AddressRequest{ReferenceID: "buyer-1", Chain: "TRX"})
	if err != nil {
		c.Fatal(err)
	}
	for range benchDeliveries {
		records = append(records, c.pay(sandbox.Payment{Address: address.Address, Coin: "USDT", Amount: decimal.New(10, 0)}))
	}
	return records, nil
}

func (c *confirmBench) payOrders(n int) (records, orders []string) {
	for i := range benchDeliveries {
		id := "order-" + strconv.Itoa(i%n)
		if i < n {
			_, err := c.ccpayment.Client().CreateDepositOrder(c.Context(), client.DepositOrderRequest{
				OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(10, 0),
			})
			if err != nil {
				c.Fatal(err)
			}
		}
		orders = append(orders, id)
		records = append(records, c.pay(sandbox.Payment{OrderID: id, Amount: decimal.New(10, 0)}))
	}
	return records, orders
}

func (c *confirmBench) payInvoices() (records, orders []string) {
	for i := range benchDeliveries {
		id := "order-" + strconv.Itoa(i)
		_, err := c.ccpayment.Client().CreateInvoice(c.Context(), client.InvoiceRequest{
			OrderID: id, Price: decimal.New(10, 0), PriceFiatID: "1033",
		})
		if err != nil {
			c.Fatal(err)
		}
		orders = append(orders, id)
		records = append(records, c.pay(sandbox.Payment{OrderID: id}))
	}
	return records, orders
}

// listen makes the events: those of orders, or else of permanent addresses.
func (c *confirmBench) listen(records, orders []string) {
	for i, record := range records {
		body := fmt.Sprintf(`{"type":"DirectDeposit","msg":{"recordId":%q,"referenceId":"buyer-1","status":"Success","isFlaggedAsRisky":false}}`, record)
		if orders != nil {
			body = fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":%q,"status":"Success","isFlaggedAsRisky":false}}`, record, orders[i])
		}
		n, err := c.ccpayment.Read([]byte(body))
		if err != nil {
			c.Fatal(err)
		}
		route := relay.Route{Name: "webhook", Account: c.account}
		c.notices = append(c.notices, n)
		c.events = append(c.events, route.Event(n, ledger.Request{}, []byte(body), time.Now()))
	}
}

// compare measures confirming against the bare client, turn by turn.
func (c *confirmBench) compare(trips int, records []string) {
	confirmer := &confirm.Confirmer{Policy: confirm.Policy{HoldRisky: true}, Now: time.Now}
	confirm := func(i int) error {
		_, err := confirmer.Confirm(context.Background(), c.account, c.notices[i], c.events[i], c.ledger)
		return err
	}
	bare := func(i int) error {
		for range trips {
			if err := c.callBare(records[i]); err != nil {
				return err
			}
		}
		return nil
	}
	c.atOnce(confirm) // the connections are made, and the kind of order is known
	c.atOnce(bare)
	var ours, bares time.Duration
	calls := int64(0)
	for c.Loop() {
		before := c.calls.Load()
		ours += c.atOnce(confirm)
		calls += c.calls.Load() - before
		c.StopTimer()
		bares += c.atOnce(bare)
		c.StartTimer()
	}
	ideal := time.Duration(c.N*trips) * benchLatency
	c.ReportMetric(100*ideal.Seconds()/ours.Seconds(), "%of-ideal")
	c.ReportMetric(100*bares.Seconds()/ours.Seconds(), "%of-bare")
	c.ReportMetric(float64(calls)/float64(c.N*benchDeliveries), "calls")
	c.ReportMetric(float64(c.N*benchDeliveries)/ours.Seconds(), "events/s")
}

// atOnce does something for each event at once, and returns how long it took.
func (c *confirmBench) atOnce(do func(i int) error) time.Duration {
	var all sync.WaitGroup
	start := time.Now()
	for i := range benchDeliveries {
		all.Go(func() {
			if err := do(i); err != nil {
				c.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

// callBare reads a record and does nothing else.
func (c *confirmBench) callBare(record string) error {
	body := []byte(`{"recordId":"` + record + `"}`)
	request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.api+"/getAppDepositRecord", bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Appid": {c.credentials.AppID},
		"Timestamp": {timestamp}, "Sign": {client.Sign(c.credentials, timestamp, body)},
	}
	response, err := c.connections.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
