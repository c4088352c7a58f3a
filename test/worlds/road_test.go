package worlds

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// unknownIsFailure and deaf are mistakes of the way to the store.
const (
	unknownIsFailure simstore.Mistake = "a commit of which nobody knows is taken for one that failed"
	deaf             simstore.Mistake = "what wakes the others is lost, and nobody looks"
)

// road is a life's way to the store: every step is a round trip that may fail.
type road struct {
	simstore.Way
	life *life
}

// pause sleeps, and for longer where the process is stopped meanwhile.
func (p *process) pause(d time.Duration, about ...any) {
	for range 2 {
		if until, is := p.stoppedUntil(); is {
			time.Sleep(until - p.since() + p.DrawTime(time.Millisecond, "resumed", p.name, about))
		}
		time.Sleep(d)
		d = 0
	}
}

// stoppedUntil reports whether the process is stopped, and until when.
func (p *process) stoppedUntil() (until time.Duration, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stops.Within(p.since())
}

// freeze stops the process in the middle of a step, which then reaches the store late.
func (l *life) freeze(op, what string, n int) {
	isWrite := op == "Commit" || op == "Bind"
	if !isWrite || !l.hasFaults() || !l.has("freezes") || l.Draw(10, "freezes", l.name, op, what, n) > 0 {
		return
	}
	from := l.since()
	until := min(from+l.DrawTime(time.Minute, "frozen", l.name, op, what, n), l.healsAt())
	l.log("%s is stopped until %s", l.name, until)
	l.saw("freeze")
	l.process.mu.Lock()
	l.stops = append(l.stops, simstore.Span{From: from, Until: until})
	l.process.mu.Unlock()
}

func (l *life) step(op, what string, do func() error) error {
	n := l.nth(l.name + op + what)
	delay := func(way string) {
		l.pause(50*time.Microsecond+l.DrawTime(3*time.Millisecond, way, l.name, op, what, n), op, what, n, way)
	}
	l.freeze(op, what, n)
	delay("there")
	if l.isDead.Load() {
		return errDead
	}
	if _, is := l.cuts.Within(l.since()); is {
		l.pause(5*time.Second+l.DrawTime(time.Second, "timeout", l.name, op, what, n), "timeout", op, what, n)
		return errLost
	}
	fault := uint64(0)
	if l.hasFaults() && l.has("store") {
		fault = l.Draw(100, "fault", l.name, op, what, n)
	}
	if fault >= 96 {
		l.cutOff(l.run)
		l.saw("lost step")
	}
	if fault >= 98 {
		return errLost // nothing has happened
	}
	err := do()
	if op == "Claim" && err == nil {
		l.noteClaim(what)
	}
	if op != "Keep" && op != "Take" && op != "Ending" && op != "LoadLook" {
		l.log("%s %s %s: %v", l.name, op, what, err)
	}
	delay("back")
	_, isCut := l.cuts.Within(l.since())
	switch {
	case l.isDead.Load():
		return errDead
	case isCut || fault >= 96:
		return ledger.ErrUnknown // it has happened, and nobody knows
	}
	return err
}

// noteClaim notes that the life has claimed a record now.
func (l *life) noteClaim(record string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims == nil {
		l.claims = make(map[string]time.Duration)
	}
	l.claims[record] = l.since()
}

// claimedAt returns when the life has claimed a record, or otherwise where the store is told of
// an attempt before the app.
func (l *life) claimedAt(r ledger.Record, otherwise time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, is := l.claims[r.Type+r.ID]; is && l.passesThrough() {
		return min(at, otherwise)
	}
	return otherwise
}

// Keep implements [ledger.Cluster].
func (r road) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	news, err := r.Way.Keep(ctx, about, held)
	if r.life.mistake == deaf {
		news.Poll = 24 * time.Hour
	}
	return news, err
}

// Bind implements [ledger.Store].
func (r road) Bind(ctx context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	bound, err := r.Way.Bind(ctx, claim, change, flags)
	if r.life.mistake == unknownIsFailure && err == ledger.ErrUnknown {
		return make([]bool, len(flags)), nil
	}
	return bound, err
}

// Wake reaches each of the others after a while, or not.
func (r road) Wake(h ledger.Hint) {
	l := r.life
	n := l.nth(l.name + "Wake")
	if l.isDead.Load() || l.mistake == deaf {
		return
	}
	go func() {
		time.Sleep(l.DrawTime(100*time.Millisecond, "wakes", l.name, n))
		if l.Draw(5, "wake", l.name, n) > 0 && !l.isDead.Load() {
			r.Cluster.Wake(h)
		}
	}()
}

// Close implements [ledger.Store]. A process that was killed tells nobody that it ends.
func (r road) Close() error {
	if r.life.isDead.Load() {
		return nil
	}
	return r.Cluster.Close()
}
