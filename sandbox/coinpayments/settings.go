package coinpayments

import (
	"errors"
	"time"

	"github.com/shopspring/decimal"
)

// Settings are the merchant's in CoinPayments' dashboard, and habits of CoinPayments that
// nobody published.
type Settings struct {
	// UnderpaymentPercent and UnderpaymentAmount say how much less than its total pays an
	// invoice; the latter is in the invoice's currency, and the more lenient one counts.
	UnderpaymentPercent decimal.Decimal
	UnderpaymentAmount  decimal.Decimal
	// CompleteAfter is how long a paid invoice takes to be completed, divided by the speed;
	// below zero it never is.
	CompleteAfter time.Duration
	// PaymentLifetime is how long an address and its rate are good for, InvoiceLifetime how
	// long an invoice is. Invoices and payments keep those that they were made with.
	PaymentLifetime, InvoiceLifetime time.Duration
	// SearchDelay is how long it takes until the list of invoices has a new one.
	SearchDelay time.Duration
	// PayoutWallet is the id of a wallet that the money of completed invoices goes to, if they
	// were paid in its currency; empty: one that the API does not show.
	PayoutWallet string
	// StaleRetries keep the timestamp of a webhook's first try.
	StaleRetries bool
}

// CompleteAfter is how long a paid invoice takes to be completed unless it is set.
const CompleteAfter = 10 * time.Second

// defaults are the settings of a new sandbox.
var defaults = Settings{
	CompleteAfter: CompleteAfter, PaymentLifetime: time.Hour, InvoiceLifetime: 365 * 24 * time.Hour,
}

// Settings returns the settings in force.
func (s *Sandbox) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.settings
}

// Set changes the settings.
func (s *Sandbox) Set(to Settings) error {
	hundred := decimal.New(100, 0)
	switch {
	case to.UnderpaymentPercent.IsNegative() || to.UnderpaymentPercent.GreaterThan(hundred):
		return errors.New("underpayment_percent: must be 0 to 100")
	case to.UnderpaymentAmount.IsNegative():
		return errors.New("underpayment_amount: must be 0 or more")
	case to.PaymentLifetime <= 0 || to.InvoiceLifetime <= 0:
		return errors.New("payment_lifetime and invoice_lifetime: must be above 0")
	case to.SearchDelay < 0:
		return errors.New("search_delay: must be 0 or more")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.settings = to
	return nil
}

func (s *Sandbox) retriesAreStale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.settings.StaleRetries
}
