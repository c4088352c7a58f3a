package checkout

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// pair is a shop whose accounts share their orders: at ends one can end them, and at stays
// it cannot.
type pair struct {
	*stand
	gives       *endable
	keeps       *namer
	ends, stays *Sessions
}

// newPair returns the shop, of which the accounts are configured anew by share.
func newPair(t *testing.T) *pair {
	t.Helper()
	s, g := newEndable(t)
	p := &pair{stand: s, gives: g, keeps: new(namer)}
	p.share(t, "shop")
	return p
}

// share has the accounts share their orders in a group; empty: each has its own.
func (p *pair) share(t *testing.T, orders string) {
	t.Helper()
	registry := NewRegistry(Config{Now: p.clock, Logger: zap.NewNop(), Ledger: func() (*ledger.Ledger, func(), error) { return p.ledger, func() {}, nil }})
	account := func(name, prefix string, g gateway.Gateway) *gateway.Account {
		info := p.account.Info
		info.AccountID, info.Title = "app-"+name, "Pay"+name
		return &gateway.Account{Name: name, Gateway: g, Orders: orders, OrderPrefix: prefix, Budget: time.Minute, Info: info}
	}
	accounts := []*gateway.Account{account("ends", "", p.gives), account("stays", "shop-", p.keeps)}
	gateway.ShareOrders(accounts)
	for i, to := range []**Sessions{&p.ends, &p.stays} {
		s, err := registry.Of(accounts[i])
		if err != nil {
			t.Fatal(err)
		}
		*to = s
	}
}

// hour is a request of an order that can be paid for an hour.
var hour = Request{OrderID: "order-1", Price: "10", Currency: "USD", Expires: time.Hour}

// opens asks for the order's session at an account; code is that of the error, if there is to
// be one.
func (p *pair) opens(t *testing.T, at *Sessions, price, code string) Session {
	t.Helper()
	r := hour
	r.Price = price
	session, err := at.Open(t.Context(), r)
	if code != "" {
		wantCode(t, err, code)
	} else if err != nil {
		t.Fatalf("%s at %s: %v", price, at.account.Name, err)
	}
	return session
}

// TestSharedParts: what is paid at one account counts at the other, of which the rest is
// asked for.
func TestSharedParts(t *testing.T) {
	p := newPair(t)
	p.opens(t, p.stays, "10", "")
	p.keeps.pays(1, "4")
	p.opens(t, p.ends, "10", "other_account")
	p.pass(time.Hour)
	if session := p.opens(t, p.ends, "10", ""); session.Price != "6" || session.ID != "order-1" {
		t.Errorf("the rest is %+v", session)
	}
	p.gives.pays(1, "2")
	p.opens(t, p.stays, "10", "partly_paid") // which is not ended then
	p.gives.pays(1, "4")
	p.opens(t, p.stays, "10", "paid")
	if len(p.gives.ended) > 0 || len(p.keeps.invoices) != 1 || len(p.gives.invoices) != 1 {
		t.Errorf("ended: %q, made: %q, %q", p.gives.ended, p.gives.calls, p.keeps.calls)
	}
}

// TestSharedWayBack: an order that goes to another account and comes back has one page that
// can be paid, also where its price changes meanwhile.
func TestSharedWayBack(t *testing.T) {
	p := newPair(t)
	p.opens(t, p.ends, "10", "")
	p.opens(t, p.stays, "12", "")
	p.opens(t, p.ends, "12", "other_account")
	p.pass(time.Hour)
	p.opens(t, p.ends, "12", "")
	p.opens(t, p.ends, "10", "")
	p.gives.mu.Lock()
	p.gives.paying = []string{"ref-3"}
	p.gives.mu.Unlock()
	p.opens(t, p.stays, "10", "under_way")
	order, err := p.ledger.Order(t.Context(), ledger.SharedOrder("shop", "order-1"))
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, g := range order.Checkout.Generations {
		if isPayable(g, p.clock()) {
			open = append(open, g.AppID+" "+g.Ref)
		}
	}
	if !slices.Equal(open, []string{"app-ends ref-3"}) || !slices.Equal(p.gives.ended, []string{"ref-1", "ref-2"}) || order.Account != "ends" {
		t.Errorf("open: %q, ended: %q, at %s", open, p.gives.ended, order.Account)
	}
}

// TestSharedEnding: what has expired of an order is ended at the account that can, also
// where the order is another's, from before they shared it.
func TestSharedEnding(t *testing.T) {
	for _, before := range []string{"shop", ""} {
		p := newPair(t)
		p.share(t, before)
		p.opens(t, p.stays, "10", "")
		p.share(t, "shop")
		p.pass(time.Hour)
		p.opens(t, p.ends, "10", "")
		p.pass(time.Hour)
		if err := endAll(t.Context(), []*Sessions{p.ends}, p.ledger); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.gives.ended, []string{"ref-1"}) {
			t.Errorf("in the group %q, ended: %q", before, p.gives.ended)
		}
		p.wantEnding(t, 0)
	}
}

// TestSharedLostAnswer: an order that may have been made at one account is looked for before
// it is made at the other.
func TestSharedLostAnswer(t *testing.T) {
	p := newPair(t)
	for _, s := range []*Sessions{p.ends, p.stays} {
		s.findPause = time.Millisecond
	}
	p.gives.after, p.gives.unlisted = gateway.ErrOutcomeUnknown, 4
	p.opens(t, p.ends, "10", "unreachable")
	p.opens(t, p.stays, "10", "unreachable")
	if p.opens(t, p.stays, "10", ""); !slices.Equal(p.gives.ended, []string{"ref-1"}) || len(p.keeps.invoices) != 1 {
		t.Errorf("ended: %q, made: %q", p.gives.ended, p.keeps.calls)
	}
}

// TestSharedBlame: what goes wrong at one account's gateway is said of that one, whichever
// account the order is asked for at.
func TestSharedBlame(t *testing.T) {
	for name, test := range map[string]struct {
		breaks     func(*endable)
		code, says string
	}{
		"it cannot be read":   {func(g *endable) { g.readErr = errors.New("no route") }, "unreachable", "Payends could not be reached"},
		"it refuses":          {func(g *endable) { g.readErr = &gateway.RefusedError{Code: "401", Err: errors.New("no")} }, "refused", "at Payends"},
		"it is another order": {func(g *endable) { g.invoices[0].order.Terms.Price = "11" }, "contradiction", "look at it in Payends's console"},
		"it cannot be ended":  {func(g *endable) { g.err = errors.New("no route") }, "busy", "Payends has not ended"},
		"its answer was lost, and it cannot be found": {func(g *endable) { g.findErr = errors.New("no route") }, "unreachable", "Payends could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			code := ""
			if strings.Contains(name, "lost") {
				p.ends.findPause, p.gives.after, p.gives.unlisted, code = time.Millisecond, gateway.ErrOutcomeUnknown, 2, "unreachable"
			}
			p.opens(t, p.ends, "10", code)
			test.breaks(p.gives)
			_, err := p.stays.Open(t.Context(), hour)
			var refused *Error
			if wantCode(t, err, test.code); !errors.As(err, &refused) || !strings.Contains(refused.Text, test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// TestSharedWithoutAccount: an order that has a page at an account which is not configured
// any more is not made at another, and the error says what to do.
func TestSharedWithoutAccount(t *testing.T) {
	p := newPair(t)
	p.opens(t, p.stays, "10", "")
	p.keeps.pays(1, "10") // of which nobody knows
	p.pass(time.Hour)
	p.ends.account.Peers, p.ends.peers = nil, nil
	_, err := p.ends.Open(t.Context(), hour)
	var refused *Error
	if wantCode(t, err, "other_account"); !errors.As(err, &refused) || !strings.Contains(refused.Text, "configure it, with the same `orders`") || !strings.Contains(err.Error(), "app-stays") {
		t.Errorf("%v", err)
	}
	if len(p.gives.invoices) > 0 {
		t.Errorf("made: %q", p.gives.calls)
	}
}
