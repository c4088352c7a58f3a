package ledger

// Flag is something that the app is told on at most one event, for ever: that
// an order is to be fulfilled, a deposit to be credited, a payout to be booked.
// It is bound to its event before that is first handed over, and stays on every
// attempt of it; see [Store.Bind].
type Flag struct {
	// Name says what is told: one of [Fulfill], [Credit] and [Payout].
	Name string
	// AppID is CCPayment's app id: whose order or record it is.
	AppID string
	// Type is the webhook's type where ID is a record's; else empty.
	Type string
	// ID is the order's id at CCPayment, with any prefix, or the record's.
	ID string
}

// The names of flags.
const (
	Fulfill = "fulfill"
	Credit  = "credit"
	Payout  = "payout"
)

// FulfillOf is the flag that an order is to be fulfilled. All routes share it:
// an order is fulfilled once, whoever hears of it.
func FulfillOf(appID, orderID string) Flag { return Flag{Name: Fulfill, AppID: appID, ID: orderID} }

// CreditOf is the flag that a deposit is to be credited.
func CreditOf(r Record) Flag { return Flag{Name: Credit, AppID: r.AppID, Type: r.Type, ID: r.ID} }

// PayoutOf is the flag that a withdrawal has come to its end.
func PayoutOf(r Record) Flag { return Flag{Name: Payout, AppID: r.AppID, Type: r.Type, ID: r.ID} }
