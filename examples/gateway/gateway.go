// Package examplegateway is a payment gateway that does not exist, as a module for
// Caddy: what a package has that adds one. README.md says what each part promises.
package examplegateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/settle"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module is a merchant account at Example Pay. Every value may be a placeholder.
type Module struct {
	MerchantID string `json:"merchant_id,omitempty"`
	Secret     string `json:"secret,omitempty"`
	API        string `json:"api,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ccpayment.gateways.example", New: func() caddy.Module { return new(Module) }}
}

func (m *Module) options() map[string]*string {
	return map[string]*string{"merchant_id": &m.MerchantID, "secret": &m.Secret, "api": &m.API}
}

// UnmarshalCaddyfile reads `gateway example { merchant_id …; secret …; api … }`.
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the gateway's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		option := d.Val()
		if into := m.options()[option]; into == nil || *into != "" {
			return d.Errf("%s is given twice, or is none of merchant_id, secret and api", option)
		} else if !d.AllArgs(into) {
			return d.ArgErr()
		}
	}
	return nil
}

// apis are https, or on this machine: the secret goes there with every call.
var apis = regexp.MustCompile(`^(https://[^/@?#]+|http://127\.0\.0\.1:[0-9]+)(/[^?#]+)?$`)

// Open implements [gateway.Driver]. It resolves the placeholders in a copy.
func (m *Module) Open(o gateway.OpenOptions) (gateway.Gateway, error) {
	a := &account{Module: *m, options: o}
	for name, value := range a.Module.options() {
		var err error
		if *value, err = caddy.NewReplacer().ReplaceOrErr(*value, true, true); err != nil || *value == "" {
			return nil, errors.Join(fmt.Errorf("%s is missing", name), err)
		}
	}
	if !apis.MatchString(a.API) {
		return nil, fmt.Errorf("api %q is neither https nor http://127.0.0.1:<port>", a.API)
	}
	return a, nil
}

type account struct {
	Module
	options gateway.OpenOptions
}

func (a *account) Info() gateway.Info {
	return gateway.Info{
		Name: "example", Title: "Example Pay", AccountID: "example:" + a.MerchantID,
		Types: []gateway.Type{{Name: "payment", Kind: gateway.Payment, BookedBy: gateway.ByOrder}},
		Statuses: []gateway.Status{
			{Name: "pending", Rank: 1, Stage: gateway.Open},
			{Name: "paid", Rank: 2, Stage: gateway.Success},
			{Name: "failed", Rank: 2, Stage: gateway.Failed},
		},
		SignatureHeader: "X-Example-Signature", TimestampHeader: "X-Example-Timestamp",
		Ack: gateway.Ack{ContentType: "text/plain; charset=utf-8", Body: "OK"},
	}
}

func (a *account) Key(purpose string) []byte {
	return gateway.DeriveKey(a.Secret, a.Info().AccountID, purpose)
}

var (
	signatures = regexp.MustCompile(`^[0-9a-f]{64}$`)
	times      = regexp.MustCompile(`^[1-9][0-9]{0,11}$`)
)

// Verify implements [gateway.Webhooks]. Signed are the text of X-Example-Timestamp,
// a dot, and the body, byte for byte.
func (a *account) Verify(r gateway.Request, _ time.Time) (signedAt time.Time, err error) {
	signature, at := r.Header["X-Example-Signature"], r.Header["X-Example-Timestamp"]
	if len(signature) != 1 || len(at) != 1 || !signatures.MatchString(signature[0]) || !times.MatchString(at[0]) {
		return signedAt, gateway.ErrMalformed
	}
	mac := hmac.New(sha256.New, []byte(a.Secret))
	mac.Write([]byte(at[0] + "."))
	mac.Write(r.Body)
	if !hmac.Equal([]byte(signature[0]), fmt.Appendf(nil, "%x", mac.Sum(nil))) {
		return signedAt, gateway.ErrSignature
	}
	seconds, err := strconv.ParseInt(at[0], 10, 64)
	return time.Unix(seconds, 0), err
}

// Read implements [gateway.Webhooks]. What is of another type has no record to ask
// for, and is named by all that it says.
func (a *account) Read(body []byte) (n gateway.Notice, err error) {
	root, err := words(body, map[string]*string{"type": &n.Type})
	if n.Risk = ledger.NotRisky; err == nil && n.Type == "payment" { // Example Pay flags no payments
		var p payment
		p, err = readPayment(root.Get("payment"))
		n.RecordID, n.OrderID, n.Status, n.CoinID = p.id, p.order, p.status, p.currency
	} else {
		n.Digest = fmt.Sprintf("%x", sha256.Sum256(body))
	}
	if err != nil {
		return gateway.Notice{}, fmt.Errorf("%w: %w", gateway.ErrUnreadable, err)
	}
	return n, nil
}

// Record implements [gateway.Records] by /payments/<id>.
func (a *account) Record(ctx context.Context, n gateway.Notice) (gateway.Record, error) {
	found, err := a.get(ctx, "payments", n.RecordID)
	if err != nil {
		return gateway.Record{}, err
	}
	p, err := readPayment(found)
	return gateway.Record{
		ID: p.id, OrderID: p.order, Status: p.status, CoinID: p.currency, Coin: p.currency,
		Amount: p.amount, Risk: ledger.NotRisky, Raw: json.RawMessage(found.Raw),
	}, err
}

// Order implements [gateway.Records] by /orders/<id>.
func (a *account) Order(ctx context.Context, id string, _ *ledger.GatewayOrder) (o gateway.Order, err error) {
	found, err := a.get(ctx, "orders", id)
	if err != nil {
		return o, err
	}
	o.Raw = json.RawMessage(found.Raw)
	if _, err = words(o.Raw, map[string]*string{"currency": &o.Currency, "amount": &o.Terms.Price}); err != nil {
		return o, err
	}
	if o.Due.Due, err = gateway.ParseAmount(o.Terms.Price, decimals, o.Currency); err != nil {
		return o, err
	}
	o.Terms.FiatID = o.Currency
	for _, entry := range found.Get("payments").Array() {
		p, err := readPayment(entry)
		if err != nil {
			return o, err
		}
		stage := a.Info().Stage(p.status)
		o.Payments = append(o.Payments, gateway.OrderPayment{Risk: ledger.NotRisky, Payment: settle.Payment{
			RecordID: p.id, Amount: p.amount, OtherUnit: p.currency != o.Currency, Clean: true,
			Finished: stage.Final(), Failed: stage.Final() && stage != gateway.Success,
		}})
	}
	return o, nil
}

// get asks the API for an object, which must have the id that was asked for.
func (a *account) get(ctx context.Context, kind, id string) (found gjson.Result, err error) {
	if !word.MatchString(id) {
		return found, fmt.Errorf("%w: %.70q is not an id", gateway.ErrNotFound, id)
	}
	request, err := http.NewRequest(http.MethodGet, a.API+"/"+kind+"/"+id, nil)
	if err != nil {
		return found, err
	}
	request.Header.Set("Authorization", "Bearer "+a.Secret)
	body, err := a.options.Do(ctx, kind, request)
	if err != nil {
		return found, err
	}
	var got string
	if found, err = words(body, map[string]*string{"id": &got}); err == nil && got != id {
		err = fmt.Errorf("the API was asked for %s and answered with %s", id, got)
	}
	return found, err
}

// payment is one as webhooks, records and orders have it.
type payment struct {
	id, order, status, currency string
	amount                      decimal.Decimal
}

func readPayment(object gjson.Result) (p payment, err error) {
	var amount string
	_, err = words([]byte(object.Raw), map[string]*string{
		"id": &p.id, "order": &p.order, "status": &p.status, "currency": &p.currency, "amount": &amount,
	})
	if err == nil {
		p.amount, err = gateway.ParseAmount(amount, decimals, p.currency)
	}
	return p, err
}

// word is what ids and the like are: parts of URLs and headers.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// decimals is how many an amount has.
const decimals = 2

// words reads words of an object, all of which must be there.
func words(text []byte, into map[string]*string) (gjson.Result, error) {
	object, err := gateway.ReadFields(text, into)
	for key, to := range into {
		if err == nil && !word.MatchString(*to) {
			err = fmt.Errorf("it has no %s that is a word", key)
		}
	}
	return object, err
}
