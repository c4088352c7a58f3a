package operator_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// mute is a gateway that sends no webhook again.
type mute struct {
	gateway.Gateway
	arrived time.Time
}

func (g mute) Record(context.Context, gateway.Notice) (gateway.Record, error) {
	return gateway.Record{ArrivedAt: g.arrived}, nil
}

// resender is one that answers each request with the next of its counts.
type resender struct {
	mute
	counts []int
	err    error
	asked  []gateway.ResendRequest
}

func (g *resender) Resend(_ context.Context, r gateway.ResendRequest) (int, error) {
	g.asked = append(g.asked, r)
	if g.err != nil {
		return 0, g.err
	}
	return g.counts[len(g.asked)-1], nil
}

var received = time.Now().Add(-5 * time.Hour)

// newOperator returns an operator whose ledger has a held event on each of the
// routes, and their keys.
func newOperator(t *testing.T, g gateway.Gateway, routes ...operator.Route) (*operator.Operator, []ledger.Key) {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	var keys []ledger.Key
	for _, route := range routes {
		key := ledger.Key{Record: ledger.Record{Route: route.Name, AppID: "app", Type: "ApiDeposit", ID: "7"}, Status: "success", Risk: ledger.NotRisky}
		claim, err := store.Claim(t.Context(), key.Record, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		err = store.Commit(t.Context(), claim, []ledger.Change{{
			Event:       ledger.Event{Key: key, Status: "Success", ReceivedAt: received, Body: []byte("{}")},
			Transitions: []ledger.Transition{{At: received, State: ledger.Received}, {At: received, State: ledger.Held, Cause: "held"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return &operator.Operator{
		Ledger: ledger.New(store, time.Now), Routes: routes, Now: time.Now,
		Account: func(name string) (*gateway.Account, error) {
			if name != "" || g == nil {
				return nil, errors.New("no such account")
			}
			return &gateway.Account{Gateway: g, Info: gateway.Info{Title: "Pay", AccountID: "app"}, Budget: time.Minute}, nil
		},
	}, keys
}

// TestResend: on a pass-through route the gateway is asked for the hour of the
// webhook, and then for that of the payment; the first that has webhooks is enough.
func TestResend(t *testing.T) {
	arrived := received.Add(-3 * time.Hour)
	refusal := &gateway.RefusedError{Code: "1", Hint: "wait", Err: errors.New("too often")}
	for name, c := range map[string]struct {
		gateway gateway.Gateway
		hours   []time.Time
		resent  int
		warning string
	}{
		"at once":        {&resender{mute{arrived: arrived}, []int{2}, nil, nil}, []time.Time{received}, 2, ""},
		"by the payment": {&resender{mute{arrived: arrived}, []int{0, 1}, nil, nil}, []time.Time{received, arrived}, 1, ""},
		"none":           {&resender{mute{arrived: arrived}, []int{0, 0}, nil, nil}, []time.Time{received, arrived}, 0, "Pay finds no such webhook: send it again from its console"},
		"no record":      {&resender{mute{}, []int{0}, nil, nil}, []time.Time{received}, 0, "Pay finds no such webhook"},
		"refused":        {&resender{err: refusal}, []time.Time{received}, 0, "Pay could not be asked to send it again: asking Pay for the webhooks: too often (wait)"},
		"unable":         {mute{}, nil, 0, "Pay sends no webhook again"},
		"no account":     {nil, nil, 0, "no such account"},
	} {
		t.Run(name, func(t *testing.T) {
			o, keys := newOperator(t, c.gateway, operator.Route{Name: "passes"})
			result, err := o.Release(t.Context(), keys[0], "fine", false)
			if err != nil || result.State != ledger.Retrying {
				t.Fatalf("%+v, %v", result, err)
			}
			if c.warning != "" != (result.Resent == nil) || !strings.Contains(result.Warning, c.warning) {
				t.Errorf("the result is %+v, want %q", result, c.warning)
			}
			if result.Resent != nil && *result.Resent != c.resent {
				t.Errorf("%d are resent, want %d", *result.Resent, c.resent)
			}
			if g, ok := c.gateway.(*resender); ok {
				var hours []time.Time
				for _, r := range g.asked {
					hours = append(hours, r.From.Add(50*time.Minute))
					if r.To.Sub(r.From) != time.Hour || r.Type != "ApiDeposit" || !slices.Equal(r.RecordIDs, []string{"7"}) {
						t.Errorf("it was asked for %+v", r)
					}
				}
				if !slices.EqualFunc(hours, c.hours, time.Time.Equal) {
					t.Errorf("it was asked for %v, want %v", hours, c.hours)
				}
			}
		})
	}
}

// named returns how an operator looks up accounts: there are these.
func named(accounts ...*gateway.Account) func(string) (*gateway.Account, error) {
	return func(name string) (*gateway.Account, error) {
		if i := slices.IndexFunc(accounts, func(a *gateway.Account) bool { return a.Name == name }); i >= 0 {
			return accounts[i], nil
		}
		return nil, errors.New("no such account")
	}
}

// TestResendFromRenamedAccount: an account that is called otherwise by now is asked for its
// webhooks, and never another one that has its name.
func TestResendFromRenamedAccount(t *testing.T) {
	for name, c := range map[string]struct {
		accounts []*gateway.Account
		resent   bool
		warning  string
	}{
		"renamed": {[]*gateway.Account{{Name: "new", Info: gateway.Info{AccountID: "app"}}}, true, ""},
		"its name is another's": {
			[]*gateway.Account{{Info: gateway.Info{AccountID: "other"}}, {Name: "new", Info: gateway.Info{AccountID: "app"}}}, true, "",
		},
		"only its name is left": {[]*gateway.Account{{Name: "", Info: gateway.Info{AccountID: "other"}}}, false, "default account has another id"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			for _, a := range c.accounts {
				a.Gateway, a.Budget = &resender{counts: []int{1}}, time.Minute
			}
			o, keys := newOperator(t, nil, operator.Route{Name: "passes", Account: c.accounts[len(c.accounts)-1].Name})
			o.Account = named(c.accounts...)
			result, err := o.Release(t.Context(), keys[0], "fine", false)
			for _, a := range c.accounts {
				if len(a.Gateway.(*resender).asked) > 0 {
					asked = append(asked, a.Info.AccountID)
				}
			}
			if err != nil || (result.Resent != nil) != c.resent || !strings.Contains(result.Warning, c.warning) || c.resent != slices.Equal(asked, []string{"app"}) {
				t.Errorf("%+v, %v, of %q", result, err, asked)
			}
		})
	}
}

// TestPaymentsOfRenamedAccounts: whether an event is a payment is known by the account's id at
// its gateway, else by another account there; where no gateway knows it, no payment is lost.
func TestPaymentsOfRenamedAccounts(t *testing.T) {
	pay := func(name, id string) *gateway.Account {
		return &gateway.Account{Name: name, Info: gateway.Info{
			AccountID: id, Types: []gateway.Type{{Name: "ApiDeposit"}},
			Statuses: []gateway.Status{{Name: "Processing", Stage: gateway.Open}, {Name: "Success", Stage: gateway.Success}},
		}}
	}
	other := func(name, id string) *gateway.Account {
		return &gateway.Account{Name: name, Info: gateway.Info{
			AccountID: id, Types: []gateway.Type{{Name: "Invoice"}}, Statuses: []gateway.Status{{Name: "Success", Stage: gateway.Failed}},
		}}
	}
	for name, c := range map[string]struct {
		accounts            []*gateway.Account
		success, processing bool
	}{
		"as it was":              {[]*gateway.Account{pay("old", "app")}, true, false},
		"renamed":                {[]*gateway.Account{pay("new", "app")}, true, false},
		"its name is another's":  {[]*gateway.Account{other("old", "x"), pay("new", "app")}, true, false},
		"another at the gateway": {[]*gateway.Account{other("invoices", "x"), pay("new", "y")}, true, false},
		"none at the gateway":    {[]*gateway.Account{other("old", "x")}, true, true},
		"no account":             {nil, true, true},
	} {
		o := operator.Operator{Account: named(c.accounts...)}
		for _, a := range c.accounts {
			o.Routes = append(o.Routes, operator.Route{Account: a.Name})
		}
		event := func(status string, confirmed *ledger.Confirmation) ledger.Event {
			return ledger.Event{
				Key:     ledger.Key{Record: ledger.Record{AppID: "app", Type: "ApiDeposit", ID: "7"}},
				Account: "old", Status: status, Confirmation: confirmed,
			}
		}
		for _, one := range []struct {
			e    ledger.Event
			want bool
		}{
			{event("Success", &ledger.Confirmation{Amount: "10"}), c.success},
			{event("Processing", &ledger.Confirmation{Amount: "10"}), c.processing},
			{event("Broken", &ledger.Confirmation{Amount: "10", Payout: "failed"}), false},
			{event("Success", &ledger.Confirmation{}), false},
			{event("Success", nil), false},
		} {
			if got := o.IsPayment(one.e); got != one.want {
				t.Errorf("%s: %s, %+v is a payment: %v", name, one.e.Status, one.e.Confirmation, got)
			}
		}
	}
}

// TestReplayAll: of what the query selects, a route that delivers needs no gateway,
// and what cannot be replayed is a warning.
func TestReplayAll(t *testing.T) {
	o, keys := newOperator(t, nil, operator.Route{Name: "a", Delivers: true}, operator.Route{Name: "b"}, operator.Route{Name: "c"})
	for _, key := range keys[:2] {
		if _, err := o.Release(t.Context(), key, "fine", false); err != nil {
			t.Fatal(err)
		}
	}
	dry, err := o.ReplayAll(t.Context(), ledger.Query{}, "again", true)
	if err != nil || dry.Matched != 3 || dry.Replayed != 0 || dry.Warnings != nil {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	got, err := o.ReplayAll(t.Context(), ledger.Query{}, "again", false)
	if err != nil || got.Matched != 3 || got.Replayed != 1 || len(got.Warnings) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, want := range []string{"release it", "no such account"} {
		if !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.HasPrefix(w, keys[0].EventID()+": ") && strings.Contains(w, want) }) {
			t.Errorf("%q is not in %q", want, got.Warnings)
		}
	}
}

// TestStatus: every route has its mode, also one that only the ledger knows.
func TestStatus(t *testing.T) {
	o, keys := newOperator(t, nil, operator.Route{Name: "b"}, operator.Route{Name: "a", Delivers: true}, operator.Route{Name: "c"})
	if _, err := o.Release(t.Context(), keys[1], "fine", false); err != nil {
		t.Fatal(err)
	}
	o.Routes = o.Routes[:2]
	status, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	oldest := status.Routes[0].OldestPending
	status.Routes[0].OldestPending = 0
	want := []operator.RouteStatus{
		{Route: "a", Mode: operator.Deliver, Pending: 1},
		{Route: "b", Mode: operator.PassThrough, Held: 1},
		{Route: "c", Mode: operator.Unconfigured, Held: 1},
	}
	if !slices.Equal(status.Routes, want) || status.LedgerBytes == 0 || status.LastConfirmedAt != nil {
		t.Errorf("the status is %+v", status)
	}
	if oldest < 0 || oldest > time.Minute { // since it was released
		t.Errorf("the oldest has waited %s", oldest)
	}
}
