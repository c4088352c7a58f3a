package client

import (
	"context"
	"time"
)

// ResendRequest picks the webhooks to send again.
type ResendRequest struct {
	// From and To span at most an hour; From is required. Webhooks of all
	// records created in between are meant, or of those that RecordIDs names.
	From, To  time.Time
	RecordIDs []string // at most 50
	// All sends those again too that arrived; by default only those that failed.
	All  bool
	Type string // only of this type, such as ApiDeposit; default: all
}

// ResendWebhooks asks CCPayment to send webhooks again, and returns how many it
// sends (webhook/resend).
func (c *Client) ResendWebhooks(ctx context.Context, r ResendRequest) (count int, err error) {
	p := c.params(endpointResendWebhooks)
	p.optionalList("recordIds", r.RecordIDs, 50)
	if r.From.IsZero() {
		p.fail("startTimestamp", "is missing")
	}
	p.span("startTimestamp", "endTimestamp", r.From, r.To, time.Hour)
	if r.All {
		p.addJSON("webhookResult", "AllResult")
	}
	p.optionalPlain("transactionType", r.Type)
	var answer struct {
		Count int `json:"resendCount"`
	}
	err = c.ask(ctx, p, "", &answer)
	return answer.Count, err
}
