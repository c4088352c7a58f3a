package sandbox

import (
	"slices"
	"time"
)

const (
	maxResend    = 50
	resendWindow = time.Hour
)

var webhookEndpoints = map[string]handler{"webhook/resend": resend}

// resend sends the latest webhook of each transaction of a time window again,
// with retries of its own.
func resend(c *call) (any, error) {
	records := c.ids("recordIds", maxResend)
	c.requireNumber("startTimestamp")
	from, to := c.optionalTime("startTimestamp"), c.optionalTime("endTimestamp")
	result := c.oneOf("webhookResult", "Failed", "AllResult")
	kind := c.oneOf("transactionType",
		"AllType", "ApiDeposit", "DirectDeposit", "ApiWithdrawal", "UserDeposit", "UserWithdrawal")
	switch {
	case to.IsZero():
		to = from.Add(resendWindow)
	case to.Before(from):
		c.reject(codeInvalid, "endTimestamp: must not be before startTimestamp")
	case to.Sub(from) > resendWindow:
		c.reject(codeRange, "endTimestamp: at most one hour after startTimestamp")
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	during, count := span{from, to}, 0
	for _, n := range slices.Clone(c.st.notices) {
		if (len(records) == 0 || slices.Contains(records, n.recordID)) && during.holds(n.createdAt) &&
			(kind == "AllType" || n.kind == kind) && (result == "AllResult" || n.sent.Unacknowledged()) {
			count++
			c.s.notify(&notice{
				kind: n.kind, status: n.status, recordID: n.recordID, orderID: n.orderID,
				url: n.url, createdAt: n.createdAt, message: n.message,
			})
		}
	}
	return object{"resendCount": count}, nil
}
