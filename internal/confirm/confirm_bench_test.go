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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/time/rate"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	cpclient "github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/relay"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

const (
	benchLatency    = 20 * time.Millisecond
	benchDeliveries = 64
)

// confirmBench is a gateway that takes its time, and events to be confirmed.
type confirmBench struct {
	*testing.B
	credentials client.Credentials
	account     *gateway.Account
	ccpayment   *ccpayment.V2
	coins       *coinpayments.V2
	ledger      *ledger.Ledger
	box         *sandbox.Sandbox
	api         string       // CCPayment's
	own         *http.Client // of the gateways
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
// up to one round trip more, for about half the calls. At CoinPayments the bare client, and
// the ideal, keep to its limit of 70 calls a second, too.
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
	b.Run("coinpayments-invoice", func(b *testing.B) {
		bench := newConfirmBench(b)
		invoices := bench.payCoins()
		pace := rate.NewLimiter(coinsPerSecond, 1)
		bench.measure(benchDeliveries*time.Second/coinsPerSecond, func(i int) error {
			if err := pace.Wait(bench.Context()); err != nil {
				return err
			}
			return bench.callBareCoins(invoices[i])
		})
	})
}

// coinsPerSecond is how many calls CoinPayments takes.
const coinsPerSecond = 70

func newConfirmBench(b *testing.B) *confirmBench {
	c := &confirmBench{B: b, credentials: client.Credentials{AppID: "app-123", AppSecret: "secret-456"}}
	box, err := sandbox.New(sandbox.Options{
		AppID: c.credentials.AppID, AppSecret: c.credentials.AppSecret, Latency: benchLatency,
		CoinPayments: cpbox.Options{ClientID: coinsCredentials.ClientID, ClientSecret: coinsCredentials.ClientSecret, Latency: benchLatency},
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.calls.Add(1)
		box.ServeHTTP(w, r)
	}))
	c.box, c.api, c.connections = box, server.URL+"/ccpayment/v2", client.NewHTTPClient()
	c.own = client.NewHTTPClient()
	b.Cleanup(func() {
		c.own.CloseIdleConnections()
		c.connections.CloseIdleConnections()
		server.Close()
		box.Close()
	})
	c.ccpayment, err = ccpayment.New(
		ccpayment.Config{AppID: c.credentials.AppID, AppSecret: c.credentials.AppSecret, BaseURL: c.api},
		gateway.OpenOptions{Account: "bench", Timeout: 10 * time.Second, HTTP: c.own},
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

// coinsCredentials are those of the integration at CoinPayments.
var coinsCredentials = cpclient.Credentials{ClientID: "bb31943d6ca84b5a8b4fb0c9ff4e4fd8", ClientSecret: "secret-789"}

// payCoins pays an invoice at CoinPayments for each of the events, which it makes, too.
func (c *confirmBench) payCoins() (invoices []string) {
	var err error
	c.coins, err = coinpayments.New(
		coinpayments.Config{ClientID: coinsCredentials.ClientID, ClientSecret: coinsCredentials.ClientSecret, BaseURL: c.coinsAPI()},
		gateway.OpenOptions{Account: "bench", WebhookURL: "https://shop.example/hook", Timeout: 10 * time.Second, HTTP: c.own},
	)
	if err != nil {
		c.Fatal(err)
	}
	c.account = &gateway.Account{Gateway: c.coins, Info: c.coins.Info(), Budget: 40 * time.Second}
	for i := range benchDeliveries {
		price := decimal.New(10, 0)
		made, err := c.coins.Client().CreateInvoice(c.Context(), cpclient.InvoiceRequest{
			Currency: "5057", InvoiceID: "order-" + strconv.Itoa(i), Items: []cpclient.Item{{Name: "x", Amount: price}}, Amount: cpclient.InvoiceAmount{Total: price},
		})
		if err != nil {
			c.Fatal(err)
		}
		if _, err := c.box.CoinPayments().Pay(c.Context(), cpbox.Payment{InvoiceID: made.ID, Instant: true, Wait: time.Minute}); err != nil {
			c.Fatal(err)
		}
		write, err := c.coins.Sample(gateway.Sample{Type: "InvoicePaid", RecordID: made.ID, OrderID: "order-" + strconv.Itoa(i)}, time.Now())
		if err != nil {
			c.Fatal(err)
		}
		c.hear(write())
		invoices = append(invoices, made.ID)
	}
	return invoices
}

func (c *confirmBench) coinsAPI() string {
	return strings.TrimSuffix(c.api, "/ccpayment/v2") + cpbox.BasePath
}

// listen makes the events: those of orders, or else of permanent addresses.
func (c *confirmBench) listen(records, orders []string) {
	for i, record := range records {
		body := fmt.Sprintf(`{"type":"DirectDeposit","msg":{"recordId":%q,"referenceId":"buyer-1","status":"Success","isFlaggedAsRisky":false}}`, record)
		if orders != nil {
			body = fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":%q,"status":"Success","isFlaggedAsRisky":false}}`, record, orders[i])
		}
		c.hear([]byte(body))
	}
}

// hear adds the event of a webhook.
func (c *confirmBench) hear(body []byte) {
	n, err := c.account.Gateway.Read(body)
	if err != nil {
		c.Fatal(err)
	}
	route := relay.Route{Name: "webhook", Account: c.account}
	c.notices = append(c.notices, n)
	c.events = append(c.events, route.Event(n, ledger.Request{}, body, time.Now()))
}

// compare measures confirming against a bare client of CCPayment.
func (c *confirmBench) compare(trips int, records []string) {
	c.measure(time.Duration(trips)*benchLatency, func(i int) error {
		for range trips {
			if err := c.callBare(records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// measure measures confirming against a bare client, turn by turn. ideal is how long all
// events take at least.
func (c *confirmBench) measure(ideal time.Duration, bare func(i int) error) {
	confirmer := &confirm.Confirmer{Policy: confirm.Policy{HoldRisky: true}, Now: time.Now}
	confirm := func(i int) error {
		_, err := confirmer.Confirm(context.Background(), c.account, c.notices[i], c.events[i], c.ledger)
		return err
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
	c.ReportMetric(100*float64(c.N)*ideal.Seconds()/ours.Seconds(), "%of-ideal")
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
	return c.send(request)
}

// callBareCoins reads an invoice at CoinPayments and does nothing else.
func (c *confirmBench) callBareCoins(invoice string) error {
	url := c.coinsAPI() + "/api/v2/merchant/invoices/" + invoice
	request, err := http.NewRequestWithContext(c.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	timestamp := cpclient.Timestamp(time.Now())
	request.Header.Set(cpclient.HeaderClient, coinsCredentials.ClientID)
	request.Header.Set(cpclient.HeaderTimestamp, timestamp)
	request.Header.Set(cpclient.HeaderSignature, cpclient.Sign(coinsCredentials, http.MethodGet, url, timestamp, nil))
	return c.send(request)
}

// send sends a request of a bare client.
func (c *confirmBench) send(request *http.Request) error {
	response, err := c.connections.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
