package confirm

import (
	"errors"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// agree compares the ids in the webhook with those in the record. An id that one of
// the two lacks is not compared.
func agree(t gateway.Type, n gateway.Notice, e ledger.Event, r gateway.Record) error {
	err := errors.Join(
		same("coin", n.CoinID, r.CoinID),
		same("order", e.GatewayOrderID, r.OrderID),
		same("reference", e.ReferenceID, r.ReferenceID),
		same("user", e.UserID, r.UserID),
	)
	if err != nil {
		return err
	}
	return agreeBooking(t.BookedBy, e, r)
}

func same(what, webhook, record string) error {
	if webhook == "" || record == "" || webhook == record {
		return nil
	}
	return differs(what, webhook, record)
}

func differs(what, webhook, record string) error {
	return mismatch("the %s is %.80q in the webhook and %.80q in the record", what, webhook, record)
}

// agreeBooking refuses a record whose money is booked in another way than the webhook says: a
// payment of an order must not be credited to a reference as well. Nor must what the webhook
// does not name: the app would credit nobody.
func agreeBooking(by gateway.Booking, e ledger.Event, r gateway.Record) error {
	switch {
	case by == gateway.ByReference && (r.OrderID != "" || r.UserID != ""):
		return mismatch("the record is of an order or a user, and the webhook of a permanent address")
	case by == gateway.ByReference && e.ReferenceID == "" && r.ReferenceID != "":
		return differs("reference", e.ReferenceID, r.ReferenceID)
	case by == gateway.ByUser && e.UserID == "" && r.UserID != "":
		return differs("user", e.UserID, r.UserID)
	case by == gateway.ByUser && r.UserID == "" && (r.OrderID != "" || r.ReferenceID != ""):
		return mismatch("the record is of an order or a permanent address, and the webhook of a user")
	case by == gateway.ByOrder && (r.ReferenceID != "" && r.OrderID == "" || r.UserID != ""):
		return mismatch("the record is of a permanent address or a user, and the webhook of an order")
	}
	return nil
}

// agreeStatus refuses a record whose status contradicts the webhook's or is behind it.
// A record that is ahead agrees: the event keeps the webhook's status. So does one whose
// success has won over the end that the webhook tells of.
func agreeStatus(info gateway.Info, webhook, record string) error {
	said, known := info.Stage(webhook), info.Stage(record)
	switch rank := info.Rank(webhook); {
	case rank == 0:
		return nil // a status that the gateway does not document cannot be compared
	case said.Final() && known.Final() && said != known && (known != gateway.Success || info.Rank(record) <= rank):
		return mismatch("the status is %s in the webhook and %.40q in the record", webhook, record)
	case info.Rank(record) < rank:
		return behind(info, "the status is %s in the webhook and %.40q in the record", webhook, record)
	}
	return nil
}

// joinRisks joins the risks of webhook and record: risky where either is, else clean
// where either says so, else unknown.
func joinRisks(webhook, record ledger.Risk) ledger.Risk {
	switch {
	case webhook == ledger.Risky || record == ledger.Risky:
		return ledger.Risky
	case webhook == ledger.NotRisky || record == ledger.NotRisky:
		return ledger.NotRisky
	default:
		return ledger.RiskUnknown
	}
}

// explain turns the gateway's error into the reason why an event is not confirmed, with
// what to do about it. what is the thing that was asked for.
func explain(info gateway.Info, what string, err error) error {
	if errors.Is(err, gateway.ErrNotFound) {
		return behind(info, "it knows no such %s", what)
	}
	var refusal *gateway.RefusedError
	if errors.As(err, &refusal) {
		return fmt.Errorf("asking %s for the %s: %w (%s)", info.Title, what, err, refusal.Hint)
	}
	return fmt.Errorf("asking %s for the %s: %w", info.Title, what, err)
}
