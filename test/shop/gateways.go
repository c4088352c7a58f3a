package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	cpbox "github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// gateway is whom the buyers pay.
type gateway interface {
	// account is how the Caddyfile has the shop's account there, and acknowledgement the
	// body that acknowledges a webhook.
	account() string
	acknowledgement() string
	// read reads a webhook, and sign returns the headers of one that is sent now.
	read(body []byte) (history.Sent, error)
	sign(body []byte) http.Header
	// order makes an order.
	order(ctx context.Context, id string) error
	// pays reports whether buyers can pay so.
	pays(p sandbox.Payment) bool
	// pay makes a payment arrive.
	pay(ctx context.Context, p sandbox.Payment) (recordID string, err error)
	// last is the event of the last status that a payment leads to by itself.
	last(recordID string, p sandbox.Payment) ledger.Key
}

// ccPayment is CCPayment.
type ccPayment struct{ shop *Shop }

func (ccPayment) account() string {
	return "app_id " + appID + "\n app_secret " + appSecret + "\n base_url {$API}/ccpayment/v2"
}

func (ccPayment) acknowledgement() string { return "Success" }

// read reads a webhook as CCPayment describes it.
func (ccPayment) read(body []byte) (history.Sent, error) {
	var webhook struct {
		Type string
		Msg  struct {
			RecordID, OrderID, Status string
			IsFlaggedAsRisky          *bool
		}
	}
	if err := json.Unmarshal(body, &webhook); err != nil {
		return history.Sent{}, fmt.Errorf("reading %s: %w", body, err)
	}
	risk := ledger.RiskUnknown
	if flag := webhook.Msg.IsFlaggedAsRisky; flag != nil {
		risk = ledger.Risk(strconv.FormatBool(*flag))
	}
	return history.Sent{
		Key: ledger.Key{
			Record: ledger.Record{AppID: appID, Type: webhook.Type, ID: webhook.Msg.RecordID},
			Status: strings.ToLower(webhook.Msg.Status), Risk: risk,
		},
		Order: webhook.Msg.OrderID, Digest: digest(body),
	}, nil
}

func (ccPayment) sign(body []byte) http.Header {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	return http.Header{
		"Appid":     {appID},
		"Timestamp": {timestamp},
		"Sign":      {client.Sign(credentials, timestamp, body)},
	}
}

func (g ccPayment) order(ctx context.Context, id string) error {
	_, err := g.shop.API.CreateDepositOrder(ctx, client.DepositOrderRequest{
		OrderID: id, CoinID: "1280", Chain: "TRX", Price: decimal.New(price, 0),
	})
	return err
}

func (ccPayment) pays(sandbox.Payment) bool { return true }

func (g ccPayment) pay(ctx context.Context, p sandbox.Payment) (recordID string, err error) {
	paid, err := g.shop.Box.Pay(ctx, p)
	return paid.RecordID, err
}

func (ccPayment) last(recordID string, p sandbox.Payment) ledger.Key {
	key := ledger.Key{
		Record: ledger.Record{AppID: appID, Type: "ApiDeposit", ID: recordID}, Status: "success", Risk: ledger.NotRisky,
	}
	if p.Status != "" {
		key.Status = p.Status
	}
	if p.Risky {
		key.Risk = ledger.Risky
	}
	return key
}

var integration = coinpayments.Credentials{ClientID: "dc6a16e545c34187ba21a9edbbe484a6", ClientSecret: "coins-secret"}

// litecoin is what invoices at CoinPayments are in: buyers pay in it unless they say else.
const litecoin = "2"

// coinPayments is CoinPayments. An order is an invoice there, and all that is paid of it
// is one record.
type coinPayments struct {
	shop *Shop
	api  *coinpayments.Client

	mu   sync.Mutex
	paid map[string]decimal.Decimal // of each invoice
}

func newCoinPayments(s *Shop, url string, connections *http.Client) (*coinPayments, error) {
	api, err := coinpayments.New(integration, coinpayments.WithBaseURL(url+cpbox.BasePath), coinpayments.WithHTTPClient(connections),
		coinpayments.WithTimeout(processtest.Patience))
	return &coinPayments{shop: s, api: api, paid: make(map[string]decimal.Decimal)}, err
}

func (*coinPayments) account() string {
	return "gateway coinpayments {\n client_id " + integration.ClientID + "\n client_secret " + integration.ClientSecret +
		"\n base_url {$API}" + cpbox.BasePath + "\n }\n webhook_url {$HOOK}"
}

func (*coinPayments) acknowledgement() string { return "OK" }

func (*coinPayments) read(body []byte) (history.Sent, error) {
	var webhook struct {
		Invoice struct{ ID, InvoiceID, State string }
	}
	if err := json.Unmarshal(body, &webhook); err != nil {
		return history.Sent{}, fmt.Errorf("reading %s: %w", body, err)
	}
	of := webhook.Invoice
	return history.Sent{Key: invoice(of.ID, strings.ToLower(of.State)), Order: of.InvoiceID, Digest: digest(body)}, nil
}

func invoice(id, status string) ledger.Key {
	return ledger.Key{Record: ledger.Record{AppID: integration.ClientID, Type: "Invoice", ID: id}, Status: status, Risk: ledger.NotRisky}
}

func (g *coinPayments) sign(body []byte) http.Header {
	timestamp := coinpayments.Timestamp(time.Now())
	header := make(http.Header)
	header.Set(coinpayments.HeaderClient, integration.ClientID)
	header.Set(coinpayments.HeaderTimestamp, timestamp)
	header.Set(coinpayments.HeaderSignature, coinpayments.Sign(integration, http.MethodPost, g.shop.Hook, timestamp, body))
	return header
}

func (g *coinPayments) order(ctx context.Context, id string) error {
	total := decimal.New(price, 0)
	_, err := g.api.CreateInvoice(ctx, coinpayments.InvoiceRequest{
		Currency: litecoin, InvoiceID: id, Items: []coinpayments.Item{{Name: id, Amount: total}},
		Amount:   coinpayments.InvoiceAmount{Total: total},
		Webhooks: []coinpayments.InvoiceWebhook{{NotificationsURL: g.shop.Hook, Notifications: coinpayments.Notifications()}},
	})
	return err
}

// pays: CoinPayments calls no payment risky, and says nothing of one that has failed, so
// that it cannot be confirmed that it was on its way.
func (*coinPayments) pays(p sandbox.Payment) bool { return !p.Risky && p.Status != "failed" }

func (g *coinPayments) pay(ctx context.Context, p sandbox.Payment) (recordID string, err error) {
	paid, err := g.shop.Box.CoinPayments().Pay(ctx, cpbox.Payment{
		OrderID: p.OrderID, Amount: p.Amount, Status: p.Status, Instant: p.Instant,
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paid[paid.RecordID] = g.paid[paid.RecordID].Add(p.Amount)
	return paid.RecordID, err
}

func (g *coinPayments) last(recordID string, _ sandbox.Payment) ledger.Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paid[recordID].LessThan(decimal.New(price, 0)) {
		return invoice(recordID, "pending")
	}
	return invoice(recordID, "completed")
}
