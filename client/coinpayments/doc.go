// Package coinpayments is CoinPayments' API (the new platform, V2) in Go: every route as
// a typed method, and the verification of webhooks.
//
//	c, err := coinpayments.New(
//		coinpayments.Credentials{ClientID: id, ClientSecret: secret}, coinpayments.WithInstance("a"))
//	invoice, err := c.CreateInvoice(ctx, coinpayments.InvoiceRequest{
//		Currency: "5057", // USD, see c.Currencies
//		Items:    []coinpayments.Item{{Name: "A hat", Amount: decimal.RequireFromString("49.90")}},
//		Amount:   coinpayments.InvoiceAmount{Total: decimal.RequireFromString("49.90")},
//	})
//
// Amounts are decimals in whole units, ids are texts and times are [time.Time],
// whatever way the API writes them. The larger types keep the JSON that was received in
// Raw, so that a field this package does not know is not lost. The types are for
// reading; the API's JSON is not for encoding/json.
//
// A request is checked before it is sent, where the reference gives a rule
// ([ArgumentError]). A refusal is an [Error], which [errors.Is] compares with one
// sentinel per status. What can be repeated without harm is repeated by itself. A call
// that may have moved money or made something is never sent again: where its outcome is
// not known, the error is an [OutcomeUnknownError] and names what to look up.
//
// Where a route has several versions, the methods use v2, whose amounts are in whole
// units. [Client.Call] makes the others: v1, in smallest units, and v3, which names a
// wallet by its label.
//
// The package imports nothing of Caddy. Nothing of an account is kept outside its
// [Client].
package coinpayments
