package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

func ExampleVerify() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		err = client.Verify(r.Header, body, 5*time.Minute, "app-123", "secret-456")
		switch {
		case errors.Is(err, client.ErrHeaders):
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		// Do the work here, and answer only when it is done.
		_, _ = io.WriteString(w, "Success")
	})

	post := func(secret string) {
		const body = `{"type":"ApiDeposit","msg":{"orderId":"order-123"}}`
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
		r.Header.Set("Appid", "app-123")
		r.Header.Set("Timestamp", timestamp)
		r.Header.Set("Sign", client.Sign(client.Credentials{AppID: "app-123", AppSecret: secret}, timestamp, []byte(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	post("secret-456")
	post("a guess")
	// Output:
	// 200 Success
	// 401 unauthorized
}

// answering is a CCPayment that knows one answer for each of some endpoints;
// where the answer is empty it breaks the connection.
func answering(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[strings.TrimPrefix(r.URL.Path, "/")]
		if answer == "" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, answer)
	}))
}

func dial(api *httptest.Server) *client.Client {
	c, err := client.New(client.Credentials{AppID: "app-123", AppSecret: "secret-456"}, client.WithBaseURL(api.URL))
	if err != nil {
		panic(err)
	}
	return c
}

func Example() {
	api := answering(map[string]string{
		"createInvoiceUrl": `{"code":10000,"msg":"success","data":{"invoiceUrl":"https://i.ccpayment.com/xxx"}}`,
	})
	defer api.Close()
	sandboxURL, ctx := api.URL, context.Background()

	c, err := client.New(
		client.Credentials{AppID: "app-123", AppSecret: "secret-456"},
		client.WithBaseURL(sandboxURL), // http://127.0.0.1:9580/ccpayment/v2; without it, CCPayment itself
	)
	if err != nil {
		panic(err)
	}
	invoiceURL, err := c.CreateInvoice(ctx, client.InvoiceRequest{
		OrderID:     "order-1",
		Price:       decimal.RequireFromString("49.90"),
		PriceFiatID: "1033", // USD, see c.Fiats
		Product:     "A hat",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(invoiceURL)
	// Output: https://i.ccpayment.com/xxx
}

func ExampleClient_DepositRecord() {
	api := answering(map[string]string{"getAppDepositRecord": `{"code":10000,"msg":"success","data":{"record":{
		"recordId":"20250116073333231508600365121536","orderId":"order-1","coinId":1482,"coinSymbol":"TRX","amount":"0.5",
		"status":"Success","isFlaggedAsRisky":false,"arrivedAt":1737012813}}}`})
	defer api.Close()
	c, ctx := dial(api), context.Background()

	record, err := c.DepositRecord(ctx, "20250116073333231508600365121536") // from the webhook
	switch {
	case err != nil:
		fmt.Println("ask again later:", err)
	case record.Status.Is(client.StatusSuccess) && record.Risk == client.RiskNone:
		fmt.Println("credit", record.Amount, record.CoinSymbol, "to", record.OrderID)
	default:
		fmt.Println("not yet, or not without a second look:", record.Status, record.Risk)
	}
	// Output: credit 0.5 TRX to order-1
}

func ExampleClient_DepositRecords() {
	api := answering(map[string]string{"getAppDepositRecordList": `{"code":10000,"msg":"success","data":{"records":[
		{"recordId":"1","coinSymbol":"TRX","amount":"0.5"},{"recordId":"2","coinSymbol":"TRX","amount":"1.25"}],"nextId":""}}`})
	defer api.Close()
	c, ctx := dial(api), context.Background()

	sum := decimal.Zero
	for record, err := range c.DepositRecords(ctx, client.DepositFilter{CoinID: "1482"}) {
		if err != nil {
			fmt.Println("the list is not complete:", err)
			return
		}
		sum = sum.Add(record.Amount)
	}
	fmt.Println(sum)
	// Output: 1.75
}

func ExampleClient_Withdraw() {
	api := answering(map[string]string{
		"applyAppWithdrawToNetwork": "", // the answer is lost on its way
		"getAppWithdrawRecord": `{"code":10000,"msg":"success","data":{"record":{"recordId":"202403120909501767478092588126208",
			"orderId":"payout-1","status":"Processing"}}}`,
	})
	defer api.Close()
	c, ctx := dial(api), context.Background()

	// Save the payout as begun before it is sent: a crash in between is an
	// unknown outcome as well.
	payout := client.WithdrawalRequest{
		OrderID: "payout-1", CoinID: "1280", Chain: "TRX",
		Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.RequireFromString("25"),
	}
	recordID, err := c.Withdraw(ctx, payout)
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown), errors.Is(err, client.ErrOrderDuplicate), errors.Is(err, client.ErrRepeatedSubmit):
		// It is paid, or may be. Look it up, now and again; never send it again.
		record, err := c.WithdrawalRecord(ctx, client.ByOrder(payout.OrderID))
		if err != nil {
			fmt.Println("still unknown, look again later:", err)
			return
		}
		fmt.Println("found:", record.Status, record.RecordID)
	case err != nil:
		fmt.Println("refused, nothing was paid:", err)
	default:
		fmt.Println("accepted:", recordID)
	}
	// Output: found: Processing 202403120909501767478092588126208
}

func ExampleError_Hint() {
	api := answering(map[string]string{"getAppCoinAssetList": `{"code":12002,"msg":"ip not in whitelist"}`})
	defer api.Close()
	c, ctx := dial(api), context.Background()

	_, err := c.Balances(ctx)
	if errors.Is(err, client.ErrIPNotInWhitelist) {
		fmt.Println("this server's address is not on the list")
	}
	var refusal *client.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Hint())
	}
	// Output:
	// this server's address is not on the list
	// add this machine's public IP address to the list under Dashboard > Developer
}

func ExampleClient_CreateWithdrawalBatch() {
	api := answering(map[string]string{
		"applyBatchWithdraw":   `{"code":10000,"data":{"batchOrderId":"wages-2026-05","billId":"20260501093333231508600365121536"}}`,
		"confirmBatchWithdraw": `{"code":10000,"data":{"batchOrderId":"wages-2026-05","status":"Processing"}}`,
		"getBatchWithdrawOrderRecordList": `{"code":10000,"data":{"records":[
			{"seq":1,"amount":"25","status":"Success"},{"seq":2,"amount":"30","status":"Processing"}]}}`,
	})
	defer api.Close()
	c, ctx := dial(api), context.Background()

	const id = "wages-2026-05" // save it, and the payouts, before anything is sent
	_, err := c.CreateWithdrawalBatch(ctx, client.WithdrawalBatchRequest{
		BatchOrderID: id, CoinID: "1280", Chain: "TRX", Mode: client.BatchModeBatch,
		Payouts: []client.BatchPayout{
			{Seq: 1, Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: decimal.RequireFromString("25")},
			{Seq: 2, Address: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Amount: decimal.RequireFromString("30")},
		},
	})
	if err == nil {
		_, err = c.ConfirmWithdrawalBatch(ctx, id, 0)
	}
	if err != nil {
		fmt.Println("look the batch up before anything else:", err)
		return
	}
	for payout, err := range c.WithdrawalBatchRecords(ctx, id) {
		if err != nil {
			fmt.Println("the list is not complete:", err)
			return
		}
		fmt.Println(payout.Seq, payout.Amount, payout.Status)
	}
	// Output:
	// 1 25 Success
	// 2 30 Processing
}
