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
			return &gateway.Account{Gateway: g, Info: gateway.Info{Title: "Pay"}, Budget: time.Minute}, nil
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
