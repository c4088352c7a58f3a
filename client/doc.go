// Package client speaks CCPayment's V2 API. This release holds what both ends
// of it share: signing requests, and verifying webhooks.
//
// It imports nothing of Caddy and can be used in any Go program.
package client
