package adminapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/reconcile"
)

// Reconciled is what looks at the records of accounts found.
type Reconciled struct {
	// Look is that at the only account, or at the one that was asked for.
	*Look
	Accounts []Look `json:"accounts"`
}

// Look is what a look at the records of an account found.
type Look struct {
	Account string `json:"account"`
	// Since is when the first look was due: none goes back further by itself.
	Since time.Time `json:"since"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// LookedAt is when a look was last whole; null: none was yet.
	LookedAt *time.Time `json:"looked_at"`
	Records  int        `json:"records"`
	NotOurs  int        `json:"not_ours"`
	Told     int        `json:"told"`
	// Missing are the records that are at their end and that nobody is told of.
	Missing []Missing `json:"missing"`
	// Unfinished is how many records are asked for again until they are at their end.
	Unfinished int    `json:"unfinished"`
	LastError  string `json:"last_error"`
}

// Missing is a record at the gateway of which the ledger has no event.
type Missing struct {
	Type     string `json:"type"`
	RecordID string `json:"record_id"`
	Status   string `json:"status"`
	// GatewayOrderID is the id of its order at the gateway.
	GatewayOrderID string    `json:"gateway_order_id,omitempty"`
	MadeAt         time.Time `json:"made_at"`
	// Why says why the app is not told.
	Why string `json:"why"`
}

// Reconcile is the body of a request for a look now.
type Reconcile struct {
	// Account is the account's name; null: all.
	Account *string `json:"account"`
	Since   string  `json:"since"` // as [ReadTime] has it, in UTC
	DryRun  bool    `json:"dry_run"`
}

// showLooks answers GET reconcile.
func showLooks(r *http.Request, o *operator.Operator) (any, error) {
	var account *string
	if values := r.URL.Query(); values.Has("account") {
		name := AccountNamed(values.Get("account"))
		account = &name
	}
	looks, err := o.Looks(r.Context(), account)
	return DescribeLooks(looks), ExplainLook(err)
}

// lookNow answers POST reconcile.
func lookNow(r *http.Request, o *operator.Operator) (any, error) {
	var ask Reconcile
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	since, err := ReadTime("since", ask.Since, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	if ask.Account != nil {
		*ask.Account = AccountNamed(*ask.Account)
	}
	looks, err := o.Look(r.Context(), ask.Account, since, ask.DryRun)
	return DescribeLooks(looks), ExplainLook(err)
}

// Dismiss is the body of a request that a record is waited for no more.
type Dismiss struct {
	// Account is the account's name; empty: the default one.
	Account  string `json:"account"`
	RecordID string `json:"record_id"`
	// Reason is why; it is logged.
	Reason string `json:"reason"`
}

// dismiss answers POST reconcile/dismiss.
func dismiss(r *http.Request, o *operator.Operator) (any, error) {
	var ask Dismiss
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	if ask.Reason = strings.TrimSpace(ask.Reason); ask.RecordID == "" || ask.Reason == "" {
		return nil, badRequest(`say which record, and why: {"record_id":"…","reason":"settled by hand"}`)
	}
	look, err := o.Dismiss(r.Context(), AccountNamed(ask.Account), ask.RecordID, ask.Reason)
	if err != nil {
		return nil, ExplainLook(err)
	}
	return DescribeLooks([]operator.Looked{look}), nil
}

// ExplainLook is the answer to an error of a look or of a dismissal.
func ExplainLook(err error) error {
	switch {
	case errors.Is(err, reconcile.ErrBusy):
		return fail(http.StatusConflict, "%w", err)
	case errors.Is(err, reconcile.ErrNoAccount):
		return badRequest("%w", err)
	case errors.Is(err, reconcile.ErrNotWaiting):
		return fail(http.StatusNotFound, "%w", err)
	}
	return err
}

// DescribeLooks is what looks found.
func DescribeLooks(looks []operator.Looked) Reconciled {
	result := Reconciled{Accounts: []Look{}}
	for _, l := range looks {
		look := Look{
			Account: l.Account, Since: l.Since, From: l.From, To: l.To, Records: l.Records, NotOurs: l.NotOurs, Told: l.Told,
			Missing: []Missing{}, LastError: l.LastError,
		}
		if !l.LookedAt.IsZero() {
			look.LookedAt = &l.LookedAt
		}
		for _, w := range l.Waiting {
			if w.Dismissed != "" {
				continue
			}
			if !w.Missing {
				look.Unfinished++
				continue
			}
			look.Missing = append(look.Missing, Missing{w.Type, w.ID, w.Status, w.OrderID, w.MadeAt, w.Why})
		}
		result.Accounts = append(result.Accounts, look)
	}
	if len(result.Accounts) == 1 {
		result.Look = &result.Accounts[0]
	}
	return result
}
