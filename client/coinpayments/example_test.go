package coinpayments_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
)

func ExampleVerify() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		// The URL as it was registered, byte for byte, whatever the request says.
		urls := []string{"https://shop.example.com/cp-hook"}
		err = coinpayments.Verify(r.Header, body, 5*time.Minute, "client-1", urls, []string{"secret-1"})
		switch {
		case errors.Is(err, coinpayments.ErrHeaders):
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		event, err := coinpayments.ReadEvent(body)
		if err == nil && event.Invoice != nil {
			fmt.Println("ask about invoice", event.Invoice.Invoice.ID)
		}
		_, _ = io.WriteString(w, "OK")
	})

	post := func(secret string) {
		const body = `{"id":"n-1","type":"InvoicePaid","invoice":{"id":"i-1","state":"Paid"}}`
		c := coinpayments.Credentials{ClientID: "client-1", ClientSecret: secret}
		timestamp := coinpayments.Timestamp(time.Now())
		r := httptest.NewRequest(http.MethodPost, "/cp-hook", strings.NewReader(body))
		r.Header.Set(coinpayments.HeaderClient, c.ClientID)
		r.Header.Set(coinpayments.HeaderTimestamp, timestamp)
		r.Header.Set(coinpayments.HeaderSignature, coinpayments.Sign(c, "POST", "https://shop.example.com/cp-hook", timestamp, []byte(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	post("secret-1")
	post("a guess")
	// Output:
	// ask about invoice i-1
	// 200 OK
	// 401 unauthorized
}

// exampleAPI is a CoinPayments that knows one answer for each of some paths; where the
// answer is empty it breaks the connection.
func exampleAPI(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[r.Method+" "+r.URL.Path]
		if answer == "" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, answer)
	}))
}

func exampleClient(api *httptest.Server) *coinpayments.Client {
	c, err := coinpayments.New(coinpayments.Credentials{ClientID: "client-1", ClientSecret: "secret-1"}, coinpayments.WithBaseURL(api.URL))
	if err != nil {
		panic(err)
	}
	return c
}

func Example() {
	api := exampleAPI(map[string]string{
		"POST /api/v2/merchant/invoices": `{"invoices":[{"id":"i-1","checkoutLink":"https://checkout.coinpayments.com/checkout/?invoice-id=i-1"}]}`,
	})
	defer api.Close()
	ctx, baseURL := context.Background(), api.URL

	c, err := coinpayments.New(
		coinpayments.Credentials{ClientID: "client-1", ClientSecret: "secret-1"},
		coinpayments.WithBaseURL(baseURL), // or coinpayments.WithInstance("a")
	)
	if err != nil {
		panic(err)
	}
	price := decimal.RequireFromString("49.90")
	invoice, err := c.CreateInvoice(ctx, coinpayments.InvoiceRequest{
		Currency:  "5057", // USD, see c.Currencies
		Items:     []coinpayments.Item{{Name: "A hat", Amount: price}},
		Amount:    coinpayments.InvoiceAmount{Total: price},
		InvoiceID: "order-1",
		PONumber:  "0123456789abcdef", // unique: it finds the invoice if the answer is lost
		Webhooks: []coinpayments.InvoiceWebhook{{
			NotificationsURL: "https://shop.example.com/cp-hook", Notifications: coinpayments.Notifications(),
		}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(invoice.URL())
	// Output: https://checkout.coinpayments.com/checkout/?invoice-id=i-1
}

func ExampleClient_Invoice() {
	api := exampleAPI(map[string]string{
		"GET /api/v2/merchant/invoices/i-1": `{"id":"i-1","invoiceId":"order-1","status":"paid","currency":{"id":"5057","symbol":"USD"},"amount":{"total":"49.90"}}`,
	})
	defer api.Close()
	ctx, c := context.Background(), exampleClient(api)

	invoice, err := c.Invoice(ctx, "i-1") // from the webhook
	switch {
	case err != nil:
		fmt.Println("ask again later:", err)
	case invoice.Status.Paid() && invoice.Currency.ID == "5057" && invoice.Amount.Total.Equal(decimal.RequireFromString("49.90")):
		fmt.Println("ship", invoice.InvoiceID)
	default:
		fmt.Println("not yet, or not what was asked for:", invoice.Status)
	}
	// Output: ship order-1
}

func ExampleClient_Transactions() {
	api := exampleAPI(map[string]string{
		"GET /api/v2/merchant/wallets/w-1/transactions": `[]`,
	})
	defer api.Close()
	ctx, c := context.Background(), exampleClient(api)

	for transaction, err := range c.Transactions(ctx, "w-1") {
		if err != nil {
			fmt.Println("the list is not complete:", err)
			return
		}
		fmt.Println(transaction.Type, transaction.ToAmount, transaction.ToCurrencySymbol)
	}
	// Output:
}

func ExampleClient_ConfirmSpend() {
	api := exampleAPI(map[string]string{
		"GET /api/v2/merchant/wallets/w-1/transaction": `{"id":"t-1","spendRequestId":"s-1","transactionStatus":"pending"}`,
	})
	defer api.Close()
	ctx, c := context.Background(), exampleClient(api)

	err := c.ConfirmSpend(ctx, "w-1", "s-1")
	switch {
	case errors.Is(err, coinpayments.ErrOutcomeUnknown):
		// It is paid, or may be. Look, now and again; never send it again.
		transaction, err := c.Transaction(ctx, "w-1", coinpayments.BySpendRequest("s-1"))
		if err != nil {
			fmt.Println("still unknown, look again later:", err)
			return
		}
		fmt.Println("found:", transaction.Status)
	case err != nil:
		fmt.Println("refused, nothing was paid:", err)
	default:
		fmt.Println("accepted")
	}
	// Output: found: pending
}

func ExampleError() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer api.Close()
	ctx, c := context.Background(), exampleClient(api)

	_, err := c.Access(ctx)
	if errors.Is(err, coinpayments.ErrForbidden) {
		fmt.Println("the integration may not do this")
	}
	var refusal *coinpayments.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Hint())
	}
	// Output:
	// the integration may not do this
	// give the integration the permission for this call in CoinPayments' dashboard, and see whether its list of IP addresses has this machine
}
