package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// The rules of user ids hold wherever one is given.
func TestUserIDRules(t *testing.T) {
	takeUser := map[string]func(context.Context, *client.Client, string) error{
		"UserBalances": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserBalances(ctx, id)
			return err
		},
		"UserBalance": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserBalance(ctx, id, "1280")
			return err
		},
		"UserDepositAddress": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserDepositAddress(ctx, client.UserAddressRequest{UserID: id, Chain: "TRX"})
			return err
		},
		"UserDepositRecords": func(ctx context.Context, c *client.Client, id string) error {
			_, err := collect(c.UserDepositRecords(ctx, client.UserDepositFilter{UserID: id}))
			return err
		},
		"UserWithdraw": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserWithdraw(ctx, changed(userWithdrawal, func(r *client.UserWithdrawalRequest) { r.UserID = id }))
			return err
		},
		"UserWithdrawToCwallet": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserWithdrawToCwallet(ctx, client.UserCwalletTransferRequest{UserID: id, CwalletTransferRequest: cwallet})
			return err
		},
		"UserWithdrawalRecords": func(ctx context.Context, c *client.Client, id string) error {
			_, err := collect(c.UserWithdrawalRecords(ctx, client.UserWithdrawalFilter{UserID: id}))
			return err
		},
		"UserSwap": func(ctx context.Context, c *client.Client, id string) error {
			_, err := c.UserSwap(ctx, client.UserSwapRequest{UserID: id, SwapRequest: swap})
			return err
		},
	}
	ids := map[string]bool{
		"": false, omegas(4): false, omegas(5): true, omegas(64): true, omegas(65): false,
		"sys-user": false, "a-sys-user": true, appID: false,
	}
	rules := make(map[string]rule)
	for method, call := range takeUser {
		for id, allowed := range ids {
			field := "userId"
			if allowed {
				field = ""
			}
			rules[method+"/"+id] = rule{field, func(ctx context.Context, c *client.Client) error { return call(ctx, c, id) }}
		}
	}
	checkRules(t, rules)
}

// A transfer may go to and from the merchant, whose user id is the app id.
func TestTransferRules(t *testing.T) {
	of := func(field string, change func(*client.UserTransferRequest)) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := c.UserTransfer(ctx, changed(transfer, change))
			return err
		}}
	}
	checkRules(t, map[string]rule{
		"to the merchant":          of("", nil),
		"from the merchant":        of("", func(r *client.UserTransferRequest) { r.FromUserID, r.ToUserID = appID, "user-1" }),
		"from a system user":       of("fromUserId", func(r *client.UserTransferRequest) { r.FromUserID = "system" }),
		"to a system user":         of("toUserId", func(r *client.UserTransferRequest) { r.ToUserID = "system" }),
		"from nobody":              of("fromUserId", func(r *client.UserTransferRequest) { r.FromUserID = "" }),
		"to a short id":            of("toUserId", func(r *client.UserTransferRequest) { r.ToUserID = "user" }),
		"remark of 255 characters": of("", func(r *client.UserTransferRequest) { r.Remark = omegas(255) }),
		"remark of 256 characters": of("remark", func(r *client.UserTransferRequest) { r.Remark = omegas(256) }),
		"amount of 19 decimals":    of("amount", func(r *client.UserTransferRequest) { r.Amount = amount("0.0000000000000000001") }),
		"no order id":              of("orderId", func(r *client.UserTransferRequest) { r.OrderID = "" }),
	})
}

func TestReferenceIDRules(t *testing.T) {
	rules := make(map[string]rule)
	for id, field := range map[string]string{
		"": "referenceId", omegas(2): "referenceId", omegas(3): "", omegas(64): "", omegas(65): "referenceId",
	} {
		rules[id] = rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := c.PermanentAddress(ctx, client.AddressRequest{ReferenceID: id, Chain: "TRX"})
			return err
		}}
	}
	checkRules(t, rules)
}

func TestQueryRules(t *testing.T) {
	start := time.Unix(1767225600, 0)
	ids := func(n int) []string { return slices.Repeat([]string{"order-1"}, n) }
	resend := func(field string, r client.ResendRequest) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error { _, err := c.ResendWebhooks(ctx, r); return err }}
	}
	withdrawals := func(field string, f client.WithdrawalFilter) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := collect(c.WithdrawalRecords(ctx, f))
			return err
		}}
	}
	deposits := func(field string, f client.DepositFilter) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := collect(c.DepositRecords(ctx, f))
			return err
		}}
	}
	merchantSwaps := func(field string, f client.SwapFilter) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error {
			_, err := collect(c.SwapRecords(ctx, f))
			return err
		}}
	}
	byRef := func(field string, ref client.Ref) rule {
		return rule{field, func(ctx context.Context, c *client.Client) error { _, err := c.WithdrawalRecord(ctx, ref); return err }}
	}
	checkRules(t, map[string]rule{
		"resend of 50 records":      resend("", client.ResendRequest{From: start, RecordIDs: ids(50)}),
		"resend of 51 records":      resend("recordIds", client.ResendRequest{From: start, RecordIDs: ids(51)}),
		"resend of an hour":         resend("", client.ResendRequest{From: start, To: start.Add(time.Hour)}),
		"resend of more":            resend("endTimestamp", client.ResendRequest{From: start, To: start.Add(time.Hour + time.Second)}),
		"resend without a start":    resend("startTimestamp", client.ResendRequest{To: start}),
		"resend backwards":          resend("endTimestamp", client.ResendRequest{From: start, To: start.Add(-time.Second)}),
		"20 order ids":              withdrawals("", client.WithdrawalFilter{OrderIDs: ids(20)}),
		"21 order ids":              withdrawals("orderIds", client.WithdrawalFilter{OrderIDs: ids(21)}),
		"list backwards":            withdrawals("endAt", client.WithdrawalFilter{Between: client.Between{StartAt: until, EndAt: start}}),
		"list from before 2001":     withdrawals("startAt", client.WithdrawalFilter{Between: client.Between{StartAt: time.Unix(1, 0)}}),
		"list with an open end":     withdrawals("", client.WithdrawalFilter{Between: client.Between{StartAt: start}}),
		"order and reference":       deposits("orderId", client.DepositFilter{OrderID: "order-1", ReferenceID: "user-1"}),
		"order alone":               deposits("", client.DepositFilter{OrderID: "order-1"}),
		"short order id in a list":  deposits("orderId", client.DepositFilter{OrderID: "o1"}),
		"coin in a list":            deposits("coinId", client.DepositFilter{CoinID: "USDT"}),
		"swaps of three months":     merchantSwaps("", client.SwapFilter{Between: client.Between{StartAt: start, EndAt: start.AddDate(0, 3, 0)}}),
		"swaps of more":             merchantSwaps("endAt", client.SwapFilter{Between: client.Between{StartAt: start, EndAt: start.AddDate(0, 3, 3)}}),
		"101 record ids of swaps":   merchantSwaps("recordIds", client.SwapFilter{RecordIDs: ids(101)}),
		"record without any id":     byRef("recordId", client.ByRecord("")),
		"order without any id":      byRef("recordId", client.ByOrder("")),
		"record by a short order":   byRef("orderId", client.ByOrder("o1")),
		"record by a long order id": byRef("orderId", client.ByOrder(strings.Repeat("a", 65))),
		"prices of nothing":         {"coinIds", func(ctx context.Context, c *client.Client) error { _, err := c.Prices(ctx); return err }},
		"price of a symbol":         {"coinIds", func(ctx context.Context, c *client.Client) error { _, err := c.Prices(ctx, "1280", "TRX"); return err }},
		"negative fee rate": {"extraFeeRate", func(ctx context.Context, c *client.Client) error {
			_, err := c.SwapQuote(ctx, client.SwapQuoteRequest{CoinIDIn: "1", AmountIn: amount("1"), CoinIDOut: "2", ExtraFeeRate: amount("-0.01")})
			return err
		}},
		"negative minimum": {"amountOutMinimum", func(ctx context.Context, c *client.Client) error {
			_, err := c.Swap(ctx, changed(swap, func(r *client.SwapRequest) { r.AmountOutMinimum = amount("-1") }))
			return err
		}},
	})
}

// Several wrong fields: the error is of the first, and it reads well.
func TestArgumentErrorText(t *testing.T) {
	_, err := newFakeAPI(t, agree).dial(t).Withdraw(t.Context(), client.WithdrawalRequest{})
	const want = "ccpayment applyAppWithdrawToNetwork: coinId is missing"
	var argument *client.ArgumentError
	if !errors.As(err, &argument) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
