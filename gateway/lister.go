package gateway

import (
	"context"
	"iter"
	"time"
)

// Lister is a gateway whose records can be listed, so that what a lost webhook was to tell
// is found.
type Lister interface {
	// List yields the records that were made from one time to another, both included, each
	// once and in any order. It calls turn before each page, and ends with the first error,
	// also of turn, but for one that comes with a record: that one cannot be read, and has no
	// more than its Type and ids. The error wraps [ErrBusy] where the gateway takes no more calls now.
	List(ctx context.Context, from, to time.Time, turn func(context.Context) error) iter.Seq2[Listed, error]

	// FindRecord returns the record that a notice of List was about, as it is now: Type,
	// RecordID and WalletID name it. The error is as that of [Records.Record].
	FindRecord(ctx context.Context, n Notice) (Listed, error)

	// Grace is how long after a record was made its webhook may still come by itself.
	Grace() time.Duration
}

// OrderMark is the mark of what is of an order, by its id at the gateway; see [Listed].
func OrderMark(id string) string { return "order " + id }

// Listed is a record with the webhook that tells of it as it is now.
type Listed struct {
	// Notice is what [Webhooks.Read] makes of Body.
	Notice Notice
	// Body is in the form of the gateway's webhooks.
	Body []byte
	// Marks name what the record is of, such as an order or an address of a customer, as
	// [APIAnswer.Makes] of the call that made it. None is another thing's at the account.
	Marks []string
	// MadeAt is when the record was made; zero: the gateway does not tell.
	MadeAt time.Time
}
