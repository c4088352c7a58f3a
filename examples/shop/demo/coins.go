package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// playCoins has a cart paid at CoinPayments, by the same shop, and prints what the shop was
// told of it beside what it was told of one that was paid at CCPayment.
func (d *demo) playCoins(ctx context.Context) error {
	const cart = "cart-7"
	if err := d.buyAt(ctx, "coins", cart); err != nil {
		return err
	}
	// A test coin would count for nothing.
	var paid struct{}
	if err := d.control(ctx, http.MethodPost, "coinpayments/pay", map[string]string{"order_id": d.orderID(cart), "coin": "LTC"}, &paid); err != nil {
		return err
	}
	// The confirmations, and then the payout to the merchant's balance.
	var told []event
	for _, status := range []string{"Paid", "Completed"} {
		if err := d.advance(ctx, 10*time.Second); err != nil {
			return err
		}
		var failure error
		waited := d.shop.until(ctx, patience, func(ctx context.Context) bool {
			told, failure = d.events(ctx)
			return slices.ContainsFunc(told, func(e event) bool { return e.Status == status })
		})
		if waited != nil {
			return fmt.Errorf("%s, which was paid at CoinPayments: %w", cart, errors.Join(failure, waited))
		}
	}
	told = slices.DeleteFunc(told, func(e event) bool { return e.OrderID != d.orderID(cart) && e.OrderID != d.orderID("cart-1") })
	page, err := d.shownTo(ctx, cart)
	if err != nil {
		return err
	}

	const row = "%-13s %-8s %-23s %-8s %s\n"
	fmt.Printf("\nA cart that is paid at CoinPayments, beside the first one. The shop was told, in Ccpayment-…:\n\n"+row,
		"Gateway", "Kind", "Type and Status", "Fulfill", "and the shop")
	fmt.Println(strings.Repeat("-", 117))
	var ships []string
	for _, e := range told {
		fulfill := "-"
		if e.Fulfill {
			fulfill = "true"
		}
		fmt.Printf(row, e.Gateway, e.Kind, e.Type+" "+e.Status, fulfill, e.Done)
		if e.OrderID == d.orderID(cart) && (e.Fulfill || e.Done != "") {
			ships = append(ships, e.Gateway+" "+e.Kind+" "+e.Done)
		}
	}
	want := "coinpayments payment ships " + d.orderID(cart)
	isRight := slices.Equal(ships, []string{want}) && page == "paid"
	fmt.Printf("\nthe buyer's page of %s says: %s  %s\n", cart, page, verdict(isRight))
	if !isRight {
		return fmt.Errorf("of %s the shop did %q, not once %q; its buyer's page says %q", cart, ships, want, page)
	}
	return nil
}
