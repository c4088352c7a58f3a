package client

import (
	"encoding/json"
	"strings"
)

// Status is where a record stands (API reference, Transaction Statuses). One
// that this package does not know is kept as it came; it is not final.
type Status string

// The documented statuses, and Pending, which is seen too. The definitions call a
// payout of a batch Successful where records have Success: [Status.Is] takes one for
// the other.
const (
	StatusWaitingApproval Status = "WaitingApproval" // of a withdrawal that a person must approve
	StatusPending         Status = "Pending"
	StatusProcessing      Status = "Processing"
	StatusSuccess         Status = "Success"
	StatusFailed          Status = "Failed"
	StatusRejected        Status = "Rejected" // of a withdrawal that a person refused
	StatusCanceled        Status = "Canceled" // of a payout of a batch that was aborted
)

// Is compares without regard to case, as CCPayment's own spelling varies.
func (s Status) Is(other Status) bool { return strings.EqualFold(s.word(), other.word()) }

func (s Status) word() string {
	if strings.EqualFold(string(s), "Successful") {
		return string(StatusSuccess)
	}
	return string(s)
}

// Final reports whether the record will not change any more, but for its risk.
func (s Status) Final() bool {
	return s.Is(StatusSuccess) || s.Is(StatusFailed) || s.Is(StatusRejected) || s.Is(StatusCanceled)
}

// Risk says whether CCPayment flagged a payment (isFlaggedAsRisky). An answer
// without the flag leaves it unknown, which is not the same as not risky.
type Risk int

// Only [RiskNone] may be credited without a second look.
const (
	RiskUnknown Risk = iota
	RiskNone
	RiskFlagged
)

func riskOf(flagged bool) Risk {
	if flagged {
		return RiskFlagged
	}
	return RiskNone
}

// MarshalJSON writes what the API writes: true, false, or null for unknown.
func (r Risk) MarshalJSON() ([]byte, error) {
	switch r {
	case RiskNone:
		return []byte("false"), nil
	case RiskFlagged:
		return []byte("true"), nil
	default:
		return []byte("null"), nil
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Risk) UnmarshalJSON(data []byte) error {
	var flagged *bool
	if err := json.Unmarshal(data, &flagged); err != nil {
		return err
	}
	*r = RiskUnknown
	if flagged != nil {
		*r = riskOf(*flagged)
	}
	return nil
}

// String is "unknown", "none" or "flagged".
func (r Risk) String() string {
	switch r {
	case RiskNone:
		return "none"
	case RiskFlagged:
		return "flagged"
	default:
		return "unknown"
	}
}
