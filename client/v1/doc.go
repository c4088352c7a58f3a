// Package v1 is CCPayment's deprecated V1 API in Go: a withdrawal, and the signature of
// calls, answers and webhooks, which [Verify] verifies.
//
//	c, err := v1.New(client.Credentials{AppID: id, AppSecret: secret})
//	made, err := c.CreateWithdrawal(ctx, v1.WithdrawalRequest{
//		MerchantOrderID: "payout-1", TokenID: "0912e09a-d8e2-41d7-a0bc-a25530892988",
//		Address: "TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc", Value: decimal.RequireFromString("10"),
//	})
//
// It is for merchants whom CCPayment has not moved to its V2 API, which is package
// client, and has that package's habits and errors: amounts are decimals, a request is
// checked before it is sent, and one whose outcome is not known is a
// [client.OutcomeUnknownError]. A withdrawal is sent once, whatever happens.
//
// CCPayment signs its answers, and an answer that it has not signed is none. It publishes
// no list of V1's codes: a code that nobody knows proves nothing, and is an outcome that
// is not known.
package v1
