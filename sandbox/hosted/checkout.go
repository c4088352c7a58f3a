package hosted

import (
	"time"
)

// State is where an order stands, seen by its buyer.
type State string

// The states of an order. The address is shown in those in which a payment is
// welcome: Waiting, PartlyPaid and Failed.
const (
	Waiting    State = "waiting"
	Processing State = "processing"
	PartlyPaid State = "partly_paid"
	Paid       State = "paid"
	Overpaid   State = "overpaid"
	InReview   State = "in_review"
	Expired    State = "expired"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
)

// What the test controls' field "pay" says; [PayCustom] comes with "amount" (a
// decimal as typed) and "with" (the Value of an [Option]).
const (
	PayExact     = "exact"
	PayLess      = "less"
	PayMore      = "more"
	PayLate      = "late"
	PayWrongCoin = "wrong_coin"
	PayRisky     = "risky"
	PayFail      = "fail"
	PayCustom    = "custom"
)

// Checkout is the page of one order. Amounts are ready to show and are never
// calculated with; all text may be hostile.
type Checkout struct {
	// Shop names who is paid; optional.
	Shop string
	// OrderID is the merchant's; Product may be empty.
	OrderID, Product string
	// Price is as the merchant set it, with its unit: "24.90 USD".
	Price string
	State State
	// Note tells the buyer what the state means, where a gateway does otherwise than
	// Explanation says; usually empty.
	Note string

	// Now is the sandbox's time, which may run ahead of the clock; the countdown
	// is from Now to ExpiresAt.
	Now, ExpiresAt time.Time
	// Refresh makes the page load itself anew after this time, in whole seconds
	// and at least one; 0 is never. The script waits while somebody types;
	// without JavaScript what was typed is lost.
	Refresh time.Duration

	// Picker asks for a coin and network; it is shown while Due is nil.
	Picker *Picker
	// Due says what to pay and where; nil until a coin is chosen.
	Due *Due

	// Received and Total show the way to the full price in one unit ("10 USDT"),
	// with ReceivedPercent between 0 and 100. Empty Received hides them.
	Received, Total string
	ReceivedPercent int
	// Excess is what came beyond the price, for Overpaid: "5 USDT".
	Excess string

	// Payments are listed as given; newest first reads best.
	Payments []Payment
	// Controls play the buyer; nil hides them.
	Controls *Controls

	// ReturnURL leads back to the shop once paid, CloseURL away from an unpaid
	// order. Anything but an absolute http or https address shows no link.
	ReturnURL, CloseURL string
}

// Picker is a form that posts the chosen network's Value as "with".
type Picker struct {
	// Action is the path that the form posts to.
	Action string
	Coins  []Coin
	// Error says what was wrong with the last try; usually empty.
	Error string
}

// Coin is one coin of a [Picker]; Amount is about what the order costs in it.
type Coin struct {
	Symbol, Name, Amount string
	Networks             []Network
}

// Network is a chain a coin is accepted on.
type Network struct {
	// Value is posted; it is unique in the picker.
	Value string
	// Name is shown: "Tron".
	Name     string
	Selected bool
}

// Due is a payment request.
type Due struct {
	// Amount without its unit, to the last digit; Coin is the symbol.
	Amount, Coin string
	// Network is the chain's name, NetworkSymbol its short form: "Tron", "TRX".
	Network, NetworkSymbol string
	Address                string
	// Memo must be sent along where it is not empty.
	Memo string
	// ChangeURL is the path of the coin picker; empty where the coin is fixed.
	ChangeURL string
}

// PaymentStatus is a payment's status as CCPayment's API gives it.
type PaymentStatus string

// The statuses of a payment; others are shown as they are.
const (
	PaymentProcessing PaymentStatus = "Processing"
	PaymentSuccess    PaymentStatus = "Success"
	PaymentFailed     PaymentStatus = "Failed"
)

// Payment is one transfer that reached the order.
type Payment struct {
	Amount, Coin, Network string
	Status                PaymentStatus
	// Risky, Late and WrongCoin are said in words beside the payment.
	Risky, Late, WrongCoin bool
	// Confirmations of ConfirmationsNeeded are shown while it is processing; a
	// need of 0 hides them.
	Confirmations, ConfirmationsNeeded int
	TxID, RecordID                     string
	At                                 time.Time
}

// Controls is the sandbox's panel that plays the buyer. Its forms post "pay"
// to Action.
type Controls struct {
	Action string
	// Exact, Less and More are the amounts that the buttons would pay, with
	// their unit; empty ones are not said. WrongCoin is what that button pays,
	// which is left out where no coin is wrong, and Risky says what makes a payment
	// so; that button is left out where the gateway knows no risk.
	Exact, Less, More, WrongCoin, Risky string
	// Options are the coins for a custom amount.
	Options []Option
	// Amount is what was typed before, and Error why it was refused.
	Amount, Error string
}

// Option is a choice of the custom amount's coin.
type Option struct {
	Value, Label string
	Selected     bool
}

// Payable is whether the page asks for a payment.
func (c Checkout) Payable() bool {
	return c.State == Waiting || c.State == PartlyPaid || c.State == Failed
}

// Settled is whether the order is paid, exactly or with more.
func (c Checkout) Settled() bool { return c.State == Paid || c.State == Overpaid }

// Left is the time until the order expires.
func (c Checkout) Left() time.Duration { return max(0, c.ExpiresAt.Sub(c.Now)) }

// ReturnLink is ReturnURL if it is safe to link to, or empty.
func (c Checkout) ReturnLink() string { return webLink(c.ReturnURL) }

// CloseLink is CloseURL if it is safe to link to, or empty.
func (c Checkout) CloseLink() string { return webLink(c.CloseURL) }

// Reload is Refresh, or 0 while the page shows an input error: such a page
// answers a POST, which is not to be repeated.
func (c Checkout) Reload() time.Duration {
	if (c.Controls != nil && c.Controls.Error != "") || (c.Picker != nil && c.Picker.Error != "") {
		return 0
	}
	return max(0, c.Refresh)
}

// Heading is what the order is for.
func (c Checkout) Heading() string {
	if c.Product != "" {
		return c.Product
	}
	return "Order " + c.OrderID
}

// Explanation tells the buyer what the state means.
func (c Checkout) Explanation() string {
	if c.Note != "" {
		return c.Note
	}
	switch c.State {
	case Waiting:
		if c.Due == nil {
			return "Choose a coin and its network. The amount is fixed until the time is up."
		}
		return "Send the exact amount in one transfer. The page notices it by itself."
	case Processing:
		return "Your payment was seen on the network and is being confirmed. You need do nothing."
	case PartlyPaid:
		return "A part arrived. Send the rest to complete the order."
	case Paid:
		return "Thank you. The shop knows that your payment arrived in full."
	case Overpaid:
		return "Thank you. More arrived than was due; the shop can return the rest."
	case InReview:
		return "The payment arrived but was flagged as risky. The shop decides what happens next."
	case Expired:
		return "The time is up. Please do not pay any more; go back to the shop for a new order."
	case Failed:
		return "The payment failed on the network and nothing was received. You can pay again."
	case Cancelled:
		return "The shop took this order back. Please do not pay any more."
	default:
		return ""
	}
}

func (s State) name() string {
	switch s {
	case Waiting:
		return "Waiting for payment"
	case Processing:
		return "Processing"
	case PartlyPaid:
		return "Partly paid"
	case Paid:
		return "Paid"
	case Overpaid:
		return "Overpaid"
	case InReview:
		return "In review"
	case Expired:
		return "Expired"
	case Failed:
		return "Payment failed"
	case Cancelled:
		return "Cancelled"
	default:
		return string(s)
	}
}

// tone picks the colour and mark of a state; the words always say it too.
func (s State) tone() string {
	switch s {
	case Paid, Overpaid:
		return "good"
	case Processing:
		return "busy"
	case PartlyPaid, InReview:
		return "warn"
	case Failed:
		return "bad"
	default:
		return "calm"
	}
}

// Tone picks the colour and mark of a payment.
func (p Payment) Tone() string {
	switch {
	case p.Status == PaymentFailed:
		return "bad"
	case p.Risky || p.WrongCoin:
		return "warn"
	case p.Status == PaymentSuccess:
		return "good"
	default:
		return "busy"
	}
}

// Confirming is whether the confirmations are worth showing.
func (p Payment) Confirming() bool {
	return p.Status == PaymentProcessing && p.ConfirmationsNeeded > 0
}

// Notes are what is special about the payment.
func (p Payment) Notes() []string {
	var notes []string
	if p.Risky {
		notes = append(notes, "flagged as risky")
	}
	if p.WrongCoin {
		notes = append(notes, "not the coin asked for")
	}
	if p.Late {
		notes = append(notes, "after the time was up")
	}
	return notes
}
