// Package client is CCPayment's V2 API in Go: every endpoint as a typed
// method, and the verification of webhooks.
//
//	c, err := client.New(client.Credentials{AppID: id, AppSecret: secret})
//	pageURL, err := c.CreateInvoice(ctx, client.InvoiceRequest{
//		OrderID: "order-1", Price: decimal.RequireFromString("49.90"), PriceFiatID: "1033",
//	})
//
// Amounts, prices and rates are decimals, ids are texts and times are
// [time.Time], whatever way the API writes them. Every type keeps the JSON that was
// received in Raw, so that a field this package does not know is not lost. The
// types are for reading; the API's JSON is not for encoding/json.
//
// A request is checked before it is sent, where the reference gives a rule
// ([ArgumentError]). A response with another code than 10000 is an [Error], which
// [errors.Is] compares with one sentinel per documented code. What can be
// repeated without harm is repeated by itself. A call that may have moved
// money is never repeated: where its outcome is not known, the error is an
// [OutcomeUnknownError] and names the order to look up.
//
// The package imports nothing of Caddy. Nothing of an account is kept outside its
// [Client].
package client
