package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const (
	usdt = "1280"
	trx  = "1482"
)

// newSandbox starts a CCPayment that knows nothing of this package, and a
// client of it.
func newSandbox(t testing.TB, options ...client.Option) (*sandbox.Sandbox, *client.Client) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	options = append([]client.Option{client.WithBaseURL(server.URL + "/ccpayment/v2")}, options...)
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return box, c
}

// story goes on from call to call; each of the 61 is a subtest of its own, and
// later ones use what earlier ones made.
type story struct {
	t    *testing.T
	ctx  context.Context
	box  *sandbox.Sandbox
	c    *client.Client
	told map[string]bool
}

// on runs the subtest of an endpoint.
func (s *story) on(endpoint string, check func(t *testing.T)) {
	s.t.Helper()
	s.told[endpoint] = true
	if !s.t.Run(endpoint, check) {
		s.t.FailNow() // what follows would only repeat it
	}
}

// pay makes a payment arrive and returns its record.
func (s *story) pay(p sandbox.Payment) string {
	s.t.Helper()
	p.Instant = true
	paid, err := s.box.Pay(s.ctx, p)
	if err != nil {
		s.t.Fatal(err)
	}
	s.box.Advance(time.Second)
	return paid.RecordID
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	a, gotDecimal := got.(decimal.Decimal)
	b, wantDecimal := want.(string)
	if gotDecimal && wantDecimal {
		if !a.Equal(amount(b)) {
			t.Errorf("%s is %s, not %s", what, a, b)
		}
		return
	}
	if got != want {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// must returns a value, and fails the test instead of an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestEveryEndpoint(t *testing.T) {
	box, c := newSandbox(t)
	s := &story{t: t, ctx: t.Context(), box: box, c: c, told: make(map[string]bool)}
	s.catalogue()
	s.deposits()
	s.merchantMoney()
	s.wallets()
	s.batches()
	s.batchTransfers()
	s.newerTools()
	for _, call := range everyCall {
		if !s.told[call.endpoint] {
			t.Errorf("%s was never called", call.endpoint)
		}
	}
	same(t, "the number of endpoints", len(s.told), 61)
}

func (s *story) catalogue() {
	ctx, c := s.ctx, s.c
	s.on("getCoinList", func(t *testing.T) {
		for _, coin := range must[[]client.Coin](t)(c.Coins(ctx)) {
			if coin.CoinID == usdt {
				same(t, "the symbol", coin.Symbol, "USDT")
				same(t, "the decimals on TRX", coin.Networks["TRX"].Precision, 6)
				same(t, "the minimum on TRX", coin.Networks["TRX"].MinimumWithdrawAmount, "2")
				return
			}
		}
		t.Error("there is no USDT")
	})
	s.on("getCoin", func(t *testing.T) {
		same(t, "the symbol", must[client.Coin](t)(c.Coin(ctx, trx)).Symbol, "TRX")
	})
	s.on("getCoinUSDTPrice", func(t *testing.T) {
		prices := must[map[string]decimal.Decimal](t)(c.Prices(ctx, usdt, trx))
		same(t, "the price of TRX", prices[trx], "0.23717")
	})
	s.on("getFiatList", func(t *testing.T) {
		for _, fiat := range must[[]client.Fiat](t)(c.Fiats(ctx)) {
			if fiat.Symbol == "USD" {
				same(t, "the id", fiat.FiatID, "1033")
				same(t, "the rate", fiat.USDRate, "1")
				return
			}
		}
		t.Error("there is no US dollar")
	})
	s.on("getChainList", func(t *testing.T) {
		chains := must[[]client.Chain](t)(c.Chains(ctx, "ETH"))
		if len(chains) != 1 || chains[0].Chain != "ETH" || !chains[0].IsEVM {
			t.Errorf("asked for ETH: %+v", chains)
		}
	})
	s.on("getSwapCoinList", func(t *testing.T) {
		if coins := must[[]client.Coin](t)(c.SwapCoins(ctx)); len(coins) < 2 {
			t.Errorf("only %d coins can be swapped", len(coins))
		}
	})
}

func (s *story) deposits() {
	ctx, c := s.ctx, s.c
	var invoiceRecord string
	s.on("createInvoiceUrl", func(t *testing.T) {
		link := must[string](t)(c.CreateInvoice(ctx, client.InvoiceRequest{
			OrderID: "invoice-1", Price: amount("49.90"), PriceFiatID: "1033", Product: "Cap",
		}))
		if !strings.HasPrefix(link, "http") {
			t.Errorf("the invoice is at %q", link)
		}
		invoiceRecord = s.pay(sandbox.Payment{OrderID: "invoice-1"})
	})
	s.on("getInvoiceOrderInfo", func(t *testing.T) {
		invoice := must[client.Invoice](t)(c.Invoice(ctx, "invoice-1"))
		same(t, "the price", invoice.Price, "49.90")
		same(t, "the currency", invoice.PriceFiatID, "1033")
		if len(invoice.PaidList) != 1 || invoice.PaidList[0].RecordID != invoiceRecord || invoice.PaidList[0].Risk != client.RiskNone {
			t.Fatalf("paid with %+v", invoice.PaidList)
		}
		short := invoice.Price.Sub(invoice.PaidList[0].PaidValue)
		if short.GreaterThan(amount("0.0001")) {
			t.Errorf("paid exactly, and %s are missing", short)
		}
	})
	s.on("createAppOrderDepositAddress", func(t *testing.T) {
		order := must[client.NewDepositOrder](t)(c.CreateDepositOrder(ctx, client.DepositOrderRequest{
			OrderID: "order-1", CoinID: usdt, Chain: "TRX", Price: amount("10"), FiatID: "1033", GenerateCheckoutURL: true,
		}))
		if order.Address == "" || order.CheckoutURL == "" || !order.Amount.IsPositive() {
			t.Errorf("the order is to be paid with %+v", order)
		}
		s.pay(sandbox.Payment{OrderID: "order-1"})
	})
	s.on("getAppOrderInfo", func(t *testing.T) {
		order := must[client.DepositOrder](t)(c.DepositOrder(ctx, "order-1"))
		if len(order.PaidList) != 1 || !order.PaidList[0].Amount.Equal(order.AmountToPay) || !order.PaidList[0].Status.Is(client.StatusSuccess) {
			t.Errorf("%s to pay, paid with %+v", order.AmountToPay, order.PaidList)
		}
	})
	s.on("getAppDepositRecord", func(t *testing.T) {
		record := must[client.DepositRecord](t)(c.DepositRecord(ctx, invoiceRecord))
		same(t, "the order", record.OrderID, "invoice-1")
		same(t, "the status", record.Status, client.StatusSuccess)
		same(t, "the risk", record.Risk, client.RiskNone)
		if record.ArrivedAt.IsZero() || !record.Amount.IsPositive() {
			t.Errorf("the record is %+v", record)
		}
	})
	var address client.Address
	s.on("getOrCreateAppDepositAddress", func(t *testing.T) {
		ask := func() client.Address {
			return must[client.Address](t)(c.PermanentAddress(ctx, client.AddressRequest{ReferenceID: "buyer-1", Chain: "POLYGON"}))
		}
		address = ask()
		same(t, "the address asked for again", ask().Address, address.Address)
		for range 45 { // three pages
			s.pay(sandbox.Payment{Address: address.Address, Amount: amount("3"), Coin: "USDT", Chain: "POLYGON"})
		}
	})
	s.on("getAppDepositRecordList", func(t *testing.T) {
		records, err := collect(c.DepositRecords(ctx, client.DepositFilter{ReferenceID: "buyer-1"}))
		if err != nil {
			t.Fatal(err)
		}
		seen, sum := map[string]bool{}, decimal.Decimal{}
		for _, record := range records {
			seen[record.RecordID] = true
			sum = sum.Add(record.Amount)
		}
		same(t, "the number of records", len(seen), 45)
		same(t, "their sum", sum, "135")
	})
	s.on("rescanLostTransaction", func(t *testing.T) {
		lost := s.pay(sandbox.Payment{Address: address.Address, Amount: amount("3"), Coin: "USDT", Chain: "POLYGON", Status: "processing"})
		txID := must[client.DepositRecord](t)(c.DepositRecord(ctx, lost)).TxID
		words := must[string](t)(c.Rescan(ctx, client.RescanRequest{Chain: "POLYGON", ToAddress: address.Address, TxID: txID}))
		if words == "" {
			t.Error("CCPayment says nothing")
		}
		s.box.Advance(time.Minute)
		same(t, "the status", must[client.DepositRecord](t)(c.DepositRecord(ctx, lost)).Status, client.StatusSuccess)
	})
	s.on("webhook/resend", func(t *testing.T) {
		count := must[int](t)(c.ResendWebhooks(ctx, client.ResendRequest{
			From: s.box.Now().Add(-30 * time.Minute), RecordIDs: []string{invoiceRecord}, All: true,
		}))
		same(t, "the number of webhooks", count, 1)
	})
	s.on("addressUnbinding", func(t *testing.T) {
		unbinding := must[client.Unbinding](t)(c.UnbindAddress(ctx, "POLYGON", address.Address))
		same(t, "the reference", unbinding.ReferenceID, "buyer-1")
		if len(unbinding.Unbound) == 0 || unbinding.UnboundAt.IsZero() {
			t.Errorf("unbound %+v", unbinding)
		}
	})
	s.on("getRiskyRefundRecordList", func(t *testing.T) {
		risky := s.pay(sandbox.Payment{OrderID: "order-1", Amount: amount("20"), Risky: true})
		same(t, "the risk", must[client.DepositRecord](t)(c.DepositRecord(ctx, risky)).Risk, client.RiskFlagged)
		refund := must[string](t)(s.box.RefundRisky(risky))
		refunds, err := collect(c.RiskRefunds(ctx, client.RiskRefundFilter{CoinID: usdt}))
		if err != nil || len(refunds) != 1 || refunds[0].RecordID != refund || !refunds[0].Amount.IsPositive() {
			t.Errorf("refunds are %+v, %v", refunds, err)
		}
	})
}

func (s *story) merchantMoney() {
	ctx, c := s.ctx, s.c
	if err := s.box.Credit(appID, 1280, amount("1000.000000")); err != nil {
		s.t.Fatal(err)
	}
	if err := s.box.Credit(appID, 1482, amount("1000")); err != nil {
		s.t.Fatal(err)
	}
	payTo := must[client.Address](s.t)(c.UserDepositAddress(ctx, client.UserAddressRequest{UserID: "somebody", Chain: "TRX"})).Address
	outside := "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL"
	var before decimal.Decimal
	s.on("getAppCoinAsset", func(t *testing.T) {
		before = must[client.Balance](t)(c.Balance(ctx, usdt)).Available
		if before.LessThan(amount("1000")) {
			t.Errorf("only %s available", before)
		}
	})
	s.on("getAppCoinAssetList", func(t *testing.T) {
		for _, balance := range must[[]client.Balance](t)(c.Balances(ctx)) {
			if balance.CoinID == usdt {
				same(t, "the balance", balance.Available.String(), before.String())
				return
			}
		}
		t.Error("USDT is not among the balances")
	})
	s.on("checkWithdrawalAddressValidity", func(t *testing.T) {
		same(t, "an address of Tron's", must[bool](t)(c.AddressIsValid(ctx, "TRX", outside)), true)
		same(t, "a word", must[bool](t)(c.AddressIsValid(ctx, "TRX", "nowhere")), false)
	})
	s.on("getWithdrawFee", func(t *testing.T) {
		if fee := must[client.Fee](t)(c.WithdrawalFee(ctx, usdt, "TRX")); !fee.Amount.IsPositive() || fee.CoinID == "" {
			t.Errorf("the fee is %+v", fee)
		}
	})
	var recordID string
	s.on("applyAppWithdrawToNetwork", func(t *testing.T) {
		w := client.WithdrawalRequest{OrderID: "payout-1", CoinID: usdt, Chain: "TRX", Address: outside, Amount: amount("25.123456")}
		recordID = must[string](t)(c.Withdraw(ctx, w))
		after := must[client.Balance](t)(c.Balance(ctx, usdt)).Available
		same(t, "what left", before.Sub(after), "25.123456")
		if _, err := c.Withdraw(ctx, w); !errors.Is(err, client.ErrOrderDuplicate) {
			t.Errorf("the same order once more: %v", err)
		}
		w.OrderID, w.Address = "payout-2", payTo
		if _, err := c.Withdraw(ctx, w); !errors.Is(err, client.ErrWithdrawCannotSelf) {
			t.Errorf("to an address of our own: %v", err)
		}
	})
	s.on("getAppWithdrawRecord", func(t *testing.T) {
		s.box.Advance(time.Minute)
		record := must[client.WithdrawalRecord](t)(c.WithdrawalRecord(ctx, client.ByOrder("payout-1")))
		same(t, "the record", record.RecordID, recordID)
		same(t, "the status", record.Status, client.StatusSuccess)
		same(t, "the amount", record.Amount, "25.123456")
		same(t, "the kind", record.WithdrawType, "Network")
	})
	s.on("getCwalletUserId", func(t *testing.T) {
		same(t, "the user", must[client.CwalletUser](t)(c.CwalletUser(ctx, "35255142")).ID, "35255142")
	})
	s.on("applyAppWithdrawToCwallet", func(t *testing.T) {
		id := must[string](t)(c.WithdrawToCwallet(ctx, client.CwalletTransferRequest{OrderID: "payout-3", CoinID: usdt, CwalletUser: "35255142", Amount: amount("5")}))
		record := must[client.WithdrawalRecord](t)(c.WithdrawalRecord(ctx, client.ByRecord(id)))
		same(t, "the kind", record.WithdrawType, "Cwallet")
		same(t, "the status", record.Status, client.StatusSuccess)
	})
	s.on("getAppWithdrawRecordList", func(t *testing.T) {
		records, err := collect(c.WithdrawalRecords(ctx, client.WithdrawalFilter{OrderIDs: []string{"payout-1", "payout-3"}}))
		if err != nil || len(records) != 2 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
	s.on("estimate", func(t *testing.T) {
		quote := must[client.SwapQuote](t)(c.SwapQuote(ctx, client.SwapQuoteRequest{CoinIDIn: usdt, AmountIn: amount("100"), CoinIDOut: trx}))
		if !quote.NetAmountOut.Equal(quote.AmountOut.Sub(quote.Fee)) || !quote.Fee.IsPositive() {
			t.Errorf("the quote is %+v", quote.SwapTerms)
		}
	})
	s.on("swap", func(t *testing.T) {
		request := client.SwapRequest{OrderID: "swap-1", CoinIDIn: usdt, AmountIn: amount("100"), CoinIDOut: trx}
		swapped := must[client.Swap](t)(c.Swap(ctx, request))
		same(t, "what came out", must[client.Balance](t)(c.Balance(ctx, trx)).Available.String(), swapped.NetAmountOut.Add(amount("1000")).String())
		request.OrderID, request.AmountOutMinimum = "swap-2", amount("100000")
		if _, err := c.Swap(ctx, request); !errors.Is(err, client.ErrAmountOutMinimumTooHigh) {
			t.Errorf("less than the minimum: %v", err)
		}
	})
	s.on("getSwapRecord", func(t *testing.T) {
		record := must[client.SwapRecord](t)(c.SwapRecord(ctx, client.ByOrder("swap-1")))
		same(t, "what went in", record.AmountIn, "100")
		same(t, "the status", record.Status, client.StatusSuccess)
	})
	s.on("getSwapRecordList", func(t *testing.T) {
		records, err := collect(c.SwapRecords(ctx, client.SwapFilter{OrderIDs: []string{"swap-1"}}))
		if err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
	s.on("getAutoWithdrawRecordList", func(t *testing.T) {
		id := must[string](t)(s.box.AutoWithdraw(sandbox.AutoWithdrawal{Coin: "USDT", Chain: "TRX", Amount: amount("50")}))
		records, err := collect(c.AutoWithdrawalRecords(ctx, client.AutoWithdrawalFilter{RecordIDs: []string{id}}))
		if err != nil || len(records) != 1 || !records[0].Amount.Equal(amount("50")) {
			t.Errorf("records are %+v, %v", records, err)
		}
	})
}

func (s *story) wallets() {
	ctx, c := s.ctx, s.c
	var recordID string
	s.on("getOrCreateUserDepositAddress", func(t *testing.T) {
		address := must[client.Address](t)(c.UserDepositAddress(ctx, client.UserAddressRequest{UserID: "user-1", Chain: "TRX"}))
		recordID = s.pay(sandbox.Payment{Address: address.Address, Amount: amount("500"), Coin: "USDT"})
		must[client.Address](t)(c.UserDepositAddress(ctx, client.UserAddressRequest{UserID: "user-2", Chain: "XRP"}))
	})
	s.on("getUserDepositRecord", func(t *testing.T) {
		record := must[client.DepositRecord](t)(c.UserDepositRecord(ctx, recordID))
		same(t, "the user", record.UserID, "user-1")
		same(t, "the amount", record.Amount, "500")
	})
	s.on("getUserDepositRecordList", func(t *testing.T) {
		records, err := collect(c.UserDepositRecords(ctx, client.UserDepositFilter{UserID: "user-1"}))
		if err != nil || len(records) != 1 || records[0].RecordID != recordID {
			t.Errorf("records are %+v, %v", records, err)
		}
	})
	available := func(t *testing.T) decimal.Decimal {
		return must[client.Balance](t)(c.UserBalance(ctx, "user-1", usdt)).Available
	}
	s.on("getUserCoinAsset", func(t *testing.T) { same(t, "less the fee of 0.5 %", available(t), "497.5") })
	s.on("getUserCoinAssetList", func(t *testing.T) {
		if balances := must[[]client.Balance](t)(c.UserBalances(ctx, "user-1")); len(balances) != 1 || balances[0].CoinSymbol != "USDT" {
			t.Errorf("balances are %+v", balances)
		}
	})
	s.on("userTransfer", func(t *testing.T) {
		tip := client.UserTransferRequest{OrderID: "tip-1", FromUserID: "user-1", ToUserID: "user-2", CoinID: usdt, Amount: amount("7.5"), Remark: "tip"}
		must[string](t)(c.UserTransfer(ctx, tip))
		tip.OrderID, tip.ToUserID = "fee-1", appID
		must[string](t)(c.UserTransfer(ctx, tip))
		same(t, "what is left", available(t), "482.5")
	})
	s.on("getUserTransferRecord", func(t *testing.T) {
		record := must[client.TransferRecord](t)(c.UserTransferRecord(ctx, client.ByOrder("tip-1")))
		same(t, "the amount", record.Amount, "7.5")
		same(t, "the remark", record.Remark, "tip")
	})
	s.on("getUserTransferRecordList", func(t *testing.T) {
		records, err := collect(c.UserTransferRecords(ctx, client.TransferFilter{FromUserID: "user-1", ToUserID: appID}))
		if err != nil || len(records) != 1 || records[0].OrderID != "fee-1" {
			t.Errorf("records are %+v, %v", records, err)
		}
	})
	s.on("userSwap", func(t *testing.T) {
		swapped := must[client.Swap](t)(c.UserSwap(ctx, client.UserSwapRequest{
			UserID: "user-1", ExtraFeeRate: amount("0.01"),
			SwapRequest: client.SwapRequest{OrderID: "user-swap-1", CoinIDIn: usdt, AmountIn: amount("100"), CoinIDOut: trx},
		}))
		want := swapped.AmountOut.Sub(swapped.Fee).Sub(swapped.ExtraFee)
		if !swapped.NetAmountOut.Equal(want) || !swapped.ExtraFee.IsPositive() {
			t.Errorf("the swap is %+v", swapped.SwapTerms)
		}
	})
	s.on("getUserSwapRecord", func(t *testing.T) {
		record := must[client.SwapRecord](t)(c.UserSwapRecord(ctx, client.ByOrder("user-swap-1")))
		same(t, "the user", record.UserID, "user-1")
		same(t, "the extra fee's rate", record.ExtraFeeRate, "0.01")
	})
	s.on("getUserSwapRecordList", func(t *testing.T) {
		records, err := collect(c.UserSwapRecords(ctx, client.UserSwapFilter{UserID: "user-1"}))
		if err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
	s.on("applyUserWithdrawToNetwork", func(t *testing.T) {
		before := available(t)
		must[string](t)(c.UserWithdraw(ctx, client.UserWithdrawalRequest{
			UserID: "user-1", OrderID: "out-1", CoinID: usdt, Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: amount("20"),
		}))
		same(t, "what left", before.Sub(available(t)), "20")
	})
	s.on("applyUserWithdrawToCwallet", func(t *testing.T) {
		must[string](t)(c.UserWithdrawToCwallet(ctx, client.UserCwalletTransferRequest{UserID: "user-1", CwalletTransferRequest: client.CwalletTransferRequest{OrderID: "out-2", CoinID: usdt, CwalletUser: "a@b.example", Amount: amount("1")}}))
	})
	s.on("getUserWithdrawRecord", func(t *testing.T) {
		record := must[client.WithdrawalRecord](t)(c.UserWithdrawalRecord(ctx, client.ByOrder("out-1")))
		same(t, "the user", record.UserID, "user-1")
		same(t, "the amount", record.Amount, "20")
	})
	s.on("getUserWithdrawRecordList", func(t *testing.T) {
		records, err := collect(c.UserWithdrawalRecords(ctx, client.UserWithdrawalFilter{UserID: "user-1"}))
		if err != nil || len(records) != 2 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
}

// TestCase29_EveryCodeOfTheSandbox lets CCPayment answer with each documented code,
// and finds it by its sentinel.
func TestCase29_EveryCodeOfTheSandbox(t *testing.T) {
	box, _ := newSandbox(t)
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	for _, code := range sandbox.Codes() {
		if code == 10000 {
			continue
		}
		if err := box.SetFaults(sandbox.Fault{Endpoint: "getAppCoinAssetList", Code: code}); err != nil {
			t.Fatal(err)
		}
		// A client of its own for each, as one of the codes opens its breaker.
		c, err := client.New(client.Credentials{AppID: appID, AppSecret: secret},
			client.WithBaseURL(server.URL+"/ccpayment/v2"), client.WithTries(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Balances(t.Context())
		var refusal *client.Error
		if !errors.As(err, &refusal) || refusal.Code != code || !errors.Is(err, client.CodeError(code)) || refusal.Hint() == "" {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestLostAnswerOfAWithdrawal: CCPayment acts, and its answer is lost. The
// money must leave once, and the order must be findable.
func TestLostAnswerOfAWithdrawal(t *testing.T) {
	box, c := newSandbox(t)
	if err := box.Credit(appID, 1280, amount("100")); err != nil {
		t.Fatal(err)
	}
	if err := box.SetFaults(sandbox.Fault{Endpoint: "applyAppWithdrawToNetwork", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	_, err := c.Withdraw(t.Context(), client.WithdrawalRequest{
		OrderID: "payout-1", CoinID: usdt, Chain: "TRX", Address: "TRPKg7eGMy9aZS2RumSPeWoyVkDqTVwLgL", Amount: amount("25"),
	})
	var unknown *client.OutcomeUnknownError
	if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.As(err, &unknown) || unknown.OrderID != "payout-1" {
		t.Fatalf("the error is %v", err)
	}
	same(t, "the balance", box.Balance(appID, 1280), "75")
	record, err := c.WithdrawalRecord(t.Context(), client.ByOrder(unknown.OrderID))
	if err != nil || !record.Amount.Equal(amount("25")) {
		t.Errorf("looked up: %+v, %v", record, err)
	}
	records, err := collect(c.WithdrawalRecords(t.Context(), client.WithdrawalFilter{}))
	if err != nil || len(records) != 1 {
		t.Errorf("%d withdrawals, %v", len(records), err)
	}
}

// TestReadsSurviveAnUnreliableAPI: reads go on through cut connections, HTTP
// errors and the codes that say "later".
func TestReadsSurviveAnUnreliableAPI(t *testing.T) {
	box, c := newSandbox(t)
	for _, fault := range []sandbox.Fault{
		{Drop: "before"},
		{Drop: "after"},
		{HTTPStatus: http.StatusBadGateway},
		{Code: int(client.ErrInternal)},
		{Code: int(client.ErrRateLimit)},
		{Code: int(client.ErrFrequentOperation)},
	} {
		fault.Endpoint = "*"
		if err := box.SetFaults(fault); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Balances(t.Context()); err != nil {
			t.Errorf("%+v: %v", fault, err)
		}
	}
}
