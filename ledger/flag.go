package ledger

// Flag is an instruction that the app gets with at most one event, for ever: to
// fulfil an order, to credit a deposit, to book a payout. It is bound to its event
// before that is sent with it for the first time, and goes with every attempt of
// it; see [Store.Bind].
type Flag struct {
	// Name is [Fulfill], [Credit] or [Payout].
	Name string
	// AppID is the gateway's id of the account that has the order or record.
	AppID string
	// Type is the webhook's type where ID is a record's; else empty.
	Type string
	// ID is the order's id at the gateway, with any prefix, or the record's.
	ID string
}

// The names of flags.
const (
	Fulfill = "fulfill"
	Credit  = "credit"
	Payout  = "payout"
)

// FulfillOf is the flag that an order is to be fulfilled. All routes share it: an
// order is fulfilled once, on whichever route its payment is delivered.
func FulfillOf(appID, orderID string) Flag { return Flag{Name: Fulfill, AppID: appID, ID: orderID} }

// Fulfill is the flag that the order is to be fulfilled.
func (id OrderID) Fulfill() Flag { return FulfillOf(id.AppID, id.ID) }

// CreditOf is the flag that a deposit is to be credited.
func CreditOf(r Record) Flag { return Flag{Name: Credit, AppID: r.AppID, Type: r.Type, ID: r.ID} }

// PayoutOf is the flag that a withdrawal has come to its end.
func PayoutOf(r Record) Flag { return Flag{Name: Payout, AppID: r.AppID, Type: r.Type, ID: r.ID} }
