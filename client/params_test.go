package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// A call with every parameter sends exactly the names and kinds of the
// reference.
func TestEveryParameter(t *testing.T) {
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	endpoints := make([]string, 0, len(everyCall))
	for _, each := range everyCall {
		before := len(api.sent())
		if _, err := each.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", each.endpoint, err)
			continue
		}
		requests := api.sent()[before:]
		if len(requests) != 1 || requests[0].URI != "/ccpayment/v2/"+each.endpoint {
			t.Errorf("%s: sent %v", each.endpoint, requests)
			continue
		}
		if body := requests[0].Body; !reflect.DeepEqual(generic(t, body), generic(t, []byte(each.sends))) {
			t.Errorf("%s: sent %s, want %s", each.endpoint, body, each.sends)
		}
		endpoints = append(endpoints, each.endpoint)
	}
	if slices.Sort(endpoints); len(slices.Compact(endpoints)) != 61 {
		t.Errorf("%d endpoints, want 61", len(slices.Compact(endpoints)))
	}
}

func generic(t *testing.T, document []byte) any {
	t.Helper()
	if len(document) == 0 {
		return nil
	}
	var value any
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return value
}

// What can be left out is left out, rather than sent empty.
func TestFewestParameters(t *testing.T) {
	api := newFakeAPI(t, agree)
	c := api.dial(t)
	ctx := t.Context()
	for _, test := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := c.CreateInvoice(ctx, invoice(nil)); return err }, `{"orderId":"order-1","price":"1","priceFiatId":"1033"}`},
		{func() error {
			_, err := c.CreateInvoice(ctx, invoice(func(r *client.InvoiceRequest) { r.PriceFiatID, r.PriceCoinID = "", "1280" }))
			return err
		}, `{"orderId":"order-1","price":"1","priceCoinId":"1280"}`},
		{func() error { _, err := c.CreateDepositOrder(ctx, order(nil)); return err }, `{"coinId":1280,"chain":"TRX","price":"1","orderId":"order-1"}`},
		{func() error { _, err := c.Withdraw(ctx, withdrawal(nil)); return err }, `{"coinId":1280,"chain":"TRX","address":"T1","orderId":"order-1","amount":"1"}`},
		{func() error { _, err := collect(c.DepositRecords(ctx, client.DepositFilter{})); return err }, ``},
		{func() error { _, err := collect(c.UserSwapRecords(ctx, client.UserSwapFilter{})); return err }, ``},
		{func() error { _, err := c.Chains(ctx); return err }, ``},
		{func() error { _, err := c.ResendWebhooks(ctx, client.ResendRequest{From: until}); return err }, `{"startTimestamp":1767312000}`},
	} {
		if err := test.call(); err != nil {
			t.Error(err)
			continue
		}
		requests := api.sent()
		if body := requests[len(requests)-1].Body; !reflect.DeepEqual(generic(t, body), generic(t, []byte(test.want))) {
			t.Errorf("sent %s, want %s", body, test.want)
		}
	}
}

// Minimal requests, which a test changes in one place.

func invoice(change func(*client.InvoiceRequest)) client.InvoiceRequest {
	return changed(client.InvoiceRequest{OrderID: "order-1", Price: amount("1"), PriceFiatID: "1033"}, change)
}

func order(change func(*client.DepositOrderRequest)) client.DepositOrderRequest {
	return changed(client.DepositOrderRequest{OrderID: "order-1", CoinID: "1280", Chain: "TRX", Price: amount("1")}, change)
}

func withdrawal(change func(*client.WithdrawalRequest)) client.WithdrawalRequest {
	return changed(client.WithdrawalRequest{OrderID: "order-1", CoinID: "1280", Chain: "TRX", Address: "T1", Amount: amount("1")}, change)
}

func changed[T any](request T, change func(*T)) T {
	if change != nil {
		change(&request)
	}
	return request
}

// Omega is one character of two bytes.
func omegas(n int) string { return strings.Repeat("Ω", n) }

func linkOf(n int) string { return "https://shop.example/" + strings.Repeat("a", n-21) }

func emailOf(n int) string { return strings.Repeat("a", n-13) + "@shop.example" }

// Each rule of the reference, at both of its edges. An empty field means that
// the request is sent.
func TestRules(t *testing.T) {
	invoiceRule := func(field string, change func(*client.InvoiceRequest)) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateInvoice(ctx, invoice(change))
			return err
		}}
	}
	orderRule := func(field string, change func(*client.DepositOrderRequest)) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateDepositOrder(ctx, order(change))
			return err
		}}
	}
	withdrawRule := func(field string, change func(*client.WithdrawalRequest)) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := c.Withdraw(ctx, withdrawal(change))
			return err
		}}
	}
	type (
		I = *client.InvoiceRequest
		O = *client.DepositOrderRequest
		W = *client.WithdrawalRequest
	)
	rules := map[string]rule{
		"order id missing":                 invoiceRule("orderId", func(r I) { r.OrderID = "" }),
		"order id of 2 characters":         invoiceRule("orderId", func(r I) { r.OrderID = omegas(2) }),
		"order id of 3 characters":         invoiceRule("", func(r I) { r.OrderID = omegas(3) }),
		"order id of 64 characters":        invoiceRule("", func(r I) { r.OrderID = omegas(64) }),
		"order id of 65 characters":        invoiceRule("orderId", func(r I) { r.OrderID = strings.Repeat("a", 65) }),
		"order id that is not UTF-8":       invoiceRule("orderId", func(r I) { r.OrderID = "abc\xff" }),
		"product of 120 characters":        invoiceRule("", func(r I) { r.Product = omegas(120) }),
		"product of 121 characters":        invoiceRule("product", func(r I) { r.Product = omegas(121) }),
		"return URL of 150 characters":     invoiceRule("", func(r I) { r.ReturnURL = linkOf(150) }),
		"return URL of 151 characters":     invoiceRule("returnUrl", func(r I) { r.ReturnURL = linkOf(151) }),
		"close URL of 151 characters":      invoiceRule("closeUrl", func(r I) { r.CloseURL = linkOf(151) }),
		"notify URL of 151 characters":     invoiceRule("notifyUrl", func(r I) { r.NotifyURL = linkOf(151) }),
		"relative URL":                     invoiceRule("returnUrl", func(r I) { r.ReturnURL = "/thanks" }),
		"URL without a host":               invoiceRule("returnUrl", func(r I) { r.ReturnURL = "https:///thanks" }),
		"URL of another scheme":            invoiceRule("closeUrl", func(r I) { r.CloseURL = "javascript://shop.example/%0aalert(1)" }),
		"URL that cannot be parsed":        invoiceRule("closeUrl", func(r I) { r.CloseURL = "https://shop.example/%zz" }),
		"http URL":                         invoiceRule("", func(r I) { r.CloseURL = "http://shop.example" }),
		"e-mail of 120 characters":         invoiceRule("", func(r I) { r.BuyerEmail = emailOf(120) }),
		"e-mail of 121 characters":         invoiceRule("buyerEmail", func(r I) { r.BuyerEmail = emailOf(121) }),
		"e-mail without an at":             invoiceRule("buyerEmail", func(r I) { r.BuyerEmail = "shop.example" }),
		"e-mail with a name":               invoiceRule("buyerEmail", func(r I) { r.BuyerEmail = "A <a@shop.example>" }),
		"two e-mails":                      invoiceRule("buyerEmail", func(r I) { r.BuyerEmail = "a@shop.example,b@shop.example" }),
		"neither fiat nor coin":            invoiceRule("priceFiatId", func(r I) { r.PriceFiatID = "" }),
		"both fiat and coin":               invoiceRule("priceFiatId", func(r I) { r.PriceCoinID = "1280" }),
		"fiat that is not a number":        invoiceRule("priceFiatId", func(r I) { r.PriceFiatID = "USD" }),
		"coin that is not a number":        invoiceRule("priceCoinId", func(r I) { r.PriceFiatID, r.PriceCoinID = "", "USDT" }),
		"fiat price of 2 decimals":         invoiceRule("", func(r I) { r.Price = amount("0.01") }),
		"fiat price of 3 decimals":         invoiceRule("price", func(r I) { r.Price = amount("0.011") }),
		"fiat price with zeros at its end": invoiceRule("", func(r I) { r.Price = amount("1.1000") }),
		"coin price of 18 decimals": invoiceRule("", func(r I) {
			r.PriceFiatID, r.PriceCoinID, r.Price = "", "1280", amount("0.000000000000000001")
		}),
		"coin price of 19 decimals": invoiceRule("price", func(r I) {
			r.PriceFiatID, r.PriceCoinID, r.Price = "", "1280", amount("1.0000000000000000001")
		}),
		"price of 0":              invoiceRule("price", func(r I) { r.Price = decimal.Zero }),
		"negative price":          invoiceRule("price", func(r I) { r.Price = amount("-1") }),
		"expiry before 10 digits": invoiceRule("expiredAt", func(r I) { r.ExpiredAt = time.Unix(999999999, 0) }),
		"expiry after 10 digits":  invoiceRule("expiredAt", func(r I) { r.ExpiredAt = time.Unix(10000000000, 0) }),
		"expiry in 10 digits":     invoiceRule("", func(r I) { r.ExpiredAt = time.Unix(9999999999, 0) }),

		"order with a fiat price of 3 decimals":  orderRule("price", func(r O) { r.FiatID, r.Price = "1033", amount("0.011") }),
		"order with a coin price of 3 decimals":  orderRule("", func(r O) { r.Price = amount("0.011") }),
		"order with a coin price of 19 decimals": orderRule("price", func(r O) { r.Price = amount("0.0000000000000000001") }),
		"order without a coin":                   orderRule("coinId", func(r O) { r.CoinID = "" }),
		"order without a chain":                  orderRule("chain", func(r O) { r.Chain = "" }),
		"order with a long product":              orderRule("product", func(r O) { r.Product = omegas(121) }),
		"order with a bad e-mail":                orderRule("buyerEmail", func(r O) { r.BuyerEmail = "a@" }),

		"withdrawal without an id":      withdrawRule("orderId", func(w W) { w.OrderID = "" }),
		"withdrawal without an address": withdrawRule("address", func(w W) { w.Address = "" }),
		"withdrawal without a coin":     withdrawRule("coinId", func(w W) { w.CoinID = "" }),
		"coin id with a fraction":       withdrawRule("coinId", func(w W) { w.CoinID = "1.5" }),
		"coin id that is negative":      withdrawRule("coinId", func(w W) { w.CoinID = "-1" }),
		"coin id beyond 63 bits":        withdrawRule("coinId", func(w W) { w.CoinID = "9223372036854775808" }),
		"amount of 0":                   withdrawRule("amount", func(w W) { w.Amount = decimal.Zero }),
		"negative amount":               withdrawRule("amount", func(w W) { w.Amount = amount("-0.1") }),
		"amount of 18 decimals":         withdrawRule("", func(w W) { w.Amount = amount("0.000000000000000001") }),
		"amount of 19 decimals":         withdrawRule("amount", func(w W) { w.Amount = amount("0.0000000000000000011") }),
		"amount of 40 digits":           withdrawRule("", func(w W) { w.Amount = amount("1234567890123456789012.123456789012345678") }),
		"amount of 41 digits":           withdrawRule("amount", func(w W) { w.Amount = amount("12345678901234567890123.123456789012345678") }),
		"whole amount of 40 digits":     withdrawRule("", func(w W) { w.Amount = amount(strings.Repeat("9", 40)) }),
		"whole amount of 41 digits":     withdrawRule("amount", func(w W) { w.Amount = amount(strings.Repeat("9", 41)) }),
		"amount with a huge exponent":   withdrawRule("amount", func(w W) { w.Amount = decimal.New(1, 20000000) }),
		"amount with a tiny exponent":   withdrawRule("amount", func(w W) { w.Amount = decimal.New(1, -20000000) }),
		"withdrawal, bad notify URL":    withdrawRule("notifyUrl", func(w W) { w.NotifyURL = "shop.example" }),
	}
	checkRules(t, rules)
}

type rule struct {
	field string
	call  func(context.Context, *client.Client) error
}

func checkRules(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			api := newFakeAPI(t, agree)
			err := rule.call(t.Context(), api.dial(t))
			if rule.field == "" {
				if err != nil || len(api.sent()) != 1 {
					t.Errorf("%d requests, %v", len(api.sent()), err)
				}
				return
			}
			var argument *client.ArgumentError
			if !errors.As(err, &argument) || argument.Field != rule.field || !strings.Contains(err.Error(), rule.field) {
				t.Errorf("%v, want an ArgumentError of %s", err, rule.field)
			}
			if !errors.Is(err, client.ErrInvalidArgument) || errors.Is(err, client.ErrOutcomeUnknown) {
				t.Errorf("%v is not told apart", err)
			}
			if len(api.sent()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}
