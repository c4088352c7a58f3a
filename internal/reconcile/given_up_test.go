package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// sender is a gateway that sends webhooks for half an hour, and once more when it is asked to.
type sender struct {
	*payouts
	resent int
}

func (g *sender) Resend(context.Context, gateway.ResendRequest) (int, error) {
	g.resent++
	return 1, nil
}

// newSender returns a reconciler of a pass-through route, of whose gateway payouts fail silently.
func newSender(t *testing.T, c Config) (*payroll, *sender) {
	t.Helper()
	g := &sender{payouts: &payouts{made: make(map[string]time.Time)}}
	c.Grace = -1
	p := newPayroll(t, c, g)
	p.accounts[0].Info.Retries = 30 * time.Minute
	p.accounts[0].Info.Types[0].FailsSilently = true
	p.accounts[0].Routes[0].Tell = nil // it hands on each webhook's own request
	return p, g
}

// attempt has a payout's event tried at the app, with its flag where it is said to be its end.
func (p *payroll) attempt(id, status string, ending ledger.Ending) {
	p.t.Helper()
	record := ledger.Record{Route: "webhook", AppID: "app-123", Type: "Payout", ID: id}
	event := ledger.Event{Key: ledger.Key{Record: record, Status: status, Risk: ledger.NotRisky}, ReceivedAt: p.now}
	verdict, attempt, err := p.ledger.Begin(p.t.Context(), event, ledger.Options{Lease: time.Minute, Rank: func(string) int { return 1 }})
	if err != nil || verdict != ledger.Deliver {
		p.t.Fatalf("%v, %v", verdict, err)
	}
	flag, sending := ledger.PayoutOf(record), ledger.Sending{AskedAt: p.now}
	if status == "success" || p.accounts[0].Info.Types[0].FailsSilently {
		sending.Flag = &flag
	}
	if _, err := attempt.Sent(p.t.Context(), sending); err != nil {
		p.t.Fatal(err)
	}
	if _, err := attempt.Finish(p.t.Context(), ending); err != nil {
		p.t.Fatal(err)
	}
}

var (
	refused = ledger.Ending{State: ledger.Retrying, Failure: errors.New("500")}
	taken   = ledger.Ending{State: ledger.Delivered}
)

// TestGivenUpByTheGateway: what the app did not take for as long as the gateway sent it is
// missing, although the ledger has its event and that its flag, until the app has taken it:
// however late it was sent first, and however often the app refuses it. The gateway is asked
// to send it again, and not each time that it lists it.
func TestGivenUpByTheGateway(t *testing.T) {
	for name, c := range map[string]Config{"usual": {}, "looking far back": {Back: 20 * 24 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			p, g := newSender(t, c)
			g.made["slow"] = p.now.Add(time.Minute) // and sent for the first time much later
			until := p.now.Add(40 * time.Minute)
			look := func(want string) {
				t.Helper()
				if got := fmt.Sprint(missing(p.look(time.Time{}))); got != want {
					t.Errorf("at %s %s are missing, want %s", p.now.Format("15:04"), got, want)
				}
			}
			for ; p.now.Before(until); p.now = p.now.Add(15 * time.Minute) {
				p.attempt("slow", "success", refused)
				look("[]")
			}
			for range 2 { // the last one may still be sent again
				look("[]")
				p.now = p.now.Add(15 * time.Minute)
			}
			for until = p.now.Add(6 * time.Hour); p.now.Before(until); p.now = p.now.Add(15 * time.Minute) {
				resent := g.resent
				if look("[slow]"); g.resent > resent {
					p.attempt("slow", "success", refused)
				}
			}
			if g.resent < 3 || g.resent > 12 {
				t.Errorf("in six hours it was asked for %d times", g.resent)
			}
			p.attempt("slow", "success", taken)
			resent := g.resent
			if look("[]"); g.resent > resent {
				t.Error("what the app has taken is asked for")
			}
		})
	}
}

// TestGivenUpWhoKnowsWhen: what the app has refused is missing after a day, where the gateway does
// not say for how long it sends a webhook.
func TestGivenUpWhoKnowsWhen(t *testing.T) {
	p, g := newSender(t, Config{})
	p.accounts[0].Info.Retries = 0
	g.made["payout"] = p.now.Add(time.Minute)
	p.now = p.now.Add(2 * time.Minute)
	p.attempt("payout", "success", refused)
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{2 * time.Hour, "[]"}, {21 * time.Hour, "[]"}, {8 * time.Hour, "[payout]"}} {
		p.now = p.now.Add(step.after)
		if got := fmt.Sprint(missing(p.look(time.Time{}))); got != step.want {
			t.Errorf("at %s %s are missing, want %s", p.now.Format("Jan 2 15:04"), got, step.want)
		}
	}
}

// TestRefusedBefore: that the app has refused what a record was before does not keep from being
// missing what it has become, where nobody knows for how long the gateway sends.
func TestRefusedBefore(t *testing.T) {
	p, g := newSender(t, Config{})
	p.accounts[0].Info.Retries = 0
	p.accounts[0].Info.Types[0].FailsSilently = false
	g.made["payout"] = p.now.Add(time.Minute)
	p.now = p.now.Add(time.Hour)
	p.attempt("payout", "processing", refused)
	p.now = p.now.Add(time.Hour)
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[payout]" {
		t.Errorf("%s are missing", got)
	}
}

// TestRefusedBeforeTheRouteDelivered: what the app has refused may have bound what the record is
// worth: a route that delivers by itself now delivers that one again, before it tells another.
func TestRefusedBeforeTheRouteDelivered(t *testing.T) {
	p, g := newSender(t, Config{})
	p.accounts[0].Info.Retries = 0
	g.made["payout"] = p.now.Add(time.Minute)
	p.now = p.now.Add(time.Hour)
	p.attempt("payout", "processing", refused)
	p.accounts[0].Routes[0].Tell = p.tell
	p.now = p.now.Add(5 * time.Minute)
	p.look(time.Time{})
	p.wantTold("while its event may still come")
}

// TestGivenUpBeforeItsTime: a refusal that was noted by a clock that was ahead keeps nobody waiting
// until then.
func TestGivenUpBeforeItsTime(t *testing.T) {
	p, g := newSender(t, Config{})
	began := p.now
	g.made["payout"] = began.Add(time.Minute)
	p.now = began.Add(100 * time.Hour)
	p.attempt("payout", "success", refused)
	p.now = began.Add(2 * time.Hour)
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[payout]" {
		t.Errorf("%s are missing", got)
	}
}

// TestSilentFailureOfWhatWasRefused: that a payout has failed is missing, too, where the event
// that was to say so was refused and has its flag.
func TestSilentFailureOfWhatWasRefused(t *testing.T) {
	p, g := newSender(t, Config{})
	g.made["payout"] = p.now.Add(time.Minute)
	p.attempt("payout", "processing", refused)
	p.now = p.now.Add(2 * time.Hour)
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[payout]" {
		t.Errorf("%s are missing", got)
	}
	p.attempt("payout", "processing", taken)
	for range 8 {
		p.now = p.now.Add(15 * time.Minute)
		p.look(time.Time{})
	}
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[]" {
		t.Errorf("once the app was told %s are missing", got)
	}
}

// TestGivenUpBeforeTheRouteDelivered: what was refused while a route handed on each webhook's
// own request is delivered once the route does that by itself: the same event, which may carry
// what no other can, and not another one of its record.
func TestGivenUpBeforeTheRouteDelivered(t *testing.T) {
	for status, wantTold := range map[string][]string{"success": nil, "processing": {"payout"}} {
		t.Run(status, func(t *testing.T) {
			p, g := newSender(t, Config{})
			p.accounts[0].Info.Types[0].FailsSilently = false
			g.made["payout"] = p.now.Add(time.Minute)
			p.attempt("payout", status, refused)
			var again []string
			p.accounts[0].Routes[0].Tell = p.tell
			p.accounts[0].Routes[0].Again = func(ctx context.Context, e ledger.Event, cause string) error {
				again = append(again, e.ID+" "+e.Key.Status)
				return p.ledger.Replay(ctx, e.Key, cause)
			}
			p.now = p.now.Add(90 * time.Minute)
			dry, err := p.Look(t.Context(), "", time.Time{}, true, p.ledger)
			if got := fmt.Sprint(missing(dry)); got != "[payout]" || err != nil || again != nil {
				t.Errorf("a dry run has %s as missing, %v, and delivered %q", got, err, again)
			}
			p.look(time.Time{})
			p.wantTold("after the change")
			if fmt.Sprint(again) != "[payout "+status+"]" {
				t.Errorf("delivered again are %q", again)
			}
			p.attempt("payout", status, taken)
			for range 4 {
				p.now = p.now.Add(10 * time.Hour)
				p.look(time.Time{})
			}
			p.wantTold("at the end", wantTold...)
			if len(again) != 1 {
				t.Errorf("delivered again are %q", again)
			}
		})
	}
}

// TestDueInPassThrough: an event that is due comes by itself only where its route delivers. On
// another it is missing once the gateway has stopped, such as one that was to be replayed, and
// that the gateway was asked for in vain. Another event of the record that is held says nothing.
func TestDueInPassThrough(t *testing.T) {
	p, g := newSender(t, Config{})
	g.made["payout"] = p.now.Add(time.Minute)
	p.attempt("payout", "success", taken)
	record := ledger.Record{Route: "webhook", AppID: "app-123", Type: "Payout", ID: "payout"}
	if err := p.ledger.Replay(t.Context(), ledger.Key{Record: record, Status: "success", Risk: ledger.NotRisky}, "a test"); err != nil {
		t.Fatal(err)
	}
	risky := ledger.Event{Key: ledger.Key{Record: record, Status: "success", Risk: ledger.Risky}, ReceivedAt: p.now}
	_, attempt, err := p.ledger.Begin(t.Context(), risky, ledger.Options{Lease: time.Minute, Rank: func(string) int { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attempt.Finish(t.Context(), ledger.Ending{State: ledger.Held, Failure: errors.New("risky: flagged")}); err != nil {
		t.Fatal(err)
	}
	p.now = p.now.Add(2 * time.Hour)
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[payout]" {
		t.Errorf("%s are missing", got)
	}
	p.attempt("payout", "success", taken)
	if got := fmt.Sprint(missing(p.look(time.Time{}))); got != "[]" {
		t.Errorf("once it is taken %s are missing", got)
	}
}

// TestFactsHaveNoAddress: some shops use the buyer's address as an order's id.
func TestFactsHaveNoAddress(t *testing.T) {
	m := Missed{Account: "", Record: ledger.LookRecord{Type: "Payment", ID: "1", OrderID: "buyer@example.com", Status: "Success"}}
	if got := m.Facts()["gateway_order_id"]; got != "REDACTED" {
		t.Errorf("the facts have %q", got)
	}
}
