package v1_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const usdt = "1280"

// TestSandbox: withdrawals of a sandbox's merchant, which checks our signature as we check
// its, and of which a lost answer makes one and no second.
func TestSandbox(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Options{AppID: credentials.AppID, AppSecret: credentials.AppSecret})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	if err := s.Credit(s.AppID(), 1280, decimal.NewFromInt(100)); err != nil {
		t.Fatal(err)
	}
	v2, err := client.New(credentials, client.WithBaseURL(server.URL+"/ccpayment/v2"))
	if err != nil {
		t.Fatal(err)
	}
	has := func(want string) {
		t.Helper()
		balance, err := v2.Balance(t.Context(), usdt)
		if err != nil || balance.Available.String() != want {
			t.Fatalf("the merchant has %s, %v, want %s", balance.Available, err, want)
		}
	}
	c := dial(t, server.URL)
	payout := func(id, value string) v1.WithdrawalRequest {
		return v1.WithdrawalRequest{
			MerchantOrderID: id, TokenID: sandbox.TokenID("USDT", "TRX"), Address: "TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc",
			Value: decimal.RequireFromString(value), MerchantPaysFee: false,
		}
	}
	made, err := c.CreateWithdrawal(t.Context(), payout("payout-1", "10"))
	if err != nil || made.OrderID == "" || made.RecordID == "" || !made.NetReceivable.Add(made.NetworkFee).Equal(decimal.NewFromInt(10)) {
		t.Fatalf("%+v, %v", made, err)
	}
	has("90")

	if err := s.SetFaults(sandbox.Fault{Endpoint: "v1/withdraw", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateWithdrawal(t.Context(), payout("payout-2", "20"))
	if !errors.Is(err, client.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "payout-2") {
		t.Fatalf("a lost answer: %v", err)
	}
	has("70")

	for id, want := range map[string]string{"payout-2": "exists already", "payout-3": "the balance is 70"} {
		_, err := c.CreateWithdrawal(t.Context(), payout(id, "80"))
		if !errors.Is(err, client.ErrOutcomeUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want that %s", id, err, want)
		}
	}
	stranger, err := v1.New(client.Credentials{AppID: credentials.AppID, AppSecret: "guess"}, v1.WithBaseURL(server.URL+"/ccpayment/v1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.CreateWithdrawal(t.Context(), payout("payout-4", "1")); !errors.Is(err, v1.ErrAnswerSignature) {
		t.Errorf("with another secret: %v", err)
	}
	has("70")
}
