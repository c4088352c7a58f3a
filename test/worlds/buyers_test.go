package worlds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	price  = "10"
	expiry = 6 * time.Minute
)

// hook is a webhook that the gateway has sent.
type hook struct {
	payment *payment
	key     ledger.Key
	digest  string
	// run is that which acknowledged it, at a time; 0: none did.
	run int
	at  time.Time
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// keyOf is the key of the event of a payment in a status, at a time.
func keyOf(p *payment, status string, at time.Time) ledger.Key {
	return ledger.Key{
		Record: ledger.Record{Route: routeName, AppID: accountID, Type: p.kind, ID: p.id}, Status: status, Risk: p.riskAt(at),
	}
}

// ownID is the app's id of an order.
func ownID(i int) string { return fmt.Sprint("order-", i) }

// buy is a buyer, who opens the checkout of an order and pays in one way or another.
func (w *world) buy(i int) {
	w.at(quiet + w.DrawTime(heals-quiet, "order", i))
	var opened sync.WaitGroup
	if w.has(fmt.Sprint("twice", i)) && w.Draw(3, "twice", i) == 0 { // in two windows
		opened.Go(func() { w.open(i, 1) })
	}
	s := w.open(i, 0)
	opened.Wait()
	if s == nil {
		return
	}
	var all sync.WaitGroup
	pay := func(n int, share int64, at time.Duration, last string) {
		if w.has(fmt.Sprintf("payment%d.%d", i, n)) {
			all.Go(func() {
				time.Sleep(at)
				w.pay(fmt.Sprintf("p%d.%d", i, n), s, decimal.New(share, -1), last)
			})
		}
	}
	// again opens the checkout once more, and pays what it asks for.
	again := func(at time.Duration) {
		if w.has(fmt.Sprint("again", i)) {
			all.Go(func() {
				time.Sleep(at)
				if next := w.open(i, 2); next != nil {
					w.pay(fmt.Sprintf("p%d.2", i), next, next.due, success)
				}
			})
		}
	}
	soon := w.DrawTime(20*time.Second, "pays", i)
	switch w.Draw(12, "way", i) {
	case 0, 1, 2, 3:
		pay(0, 100, soon, success)
	case 4:
		pay(0, 50, soon, success)
		pay(1, 50, soon+w.DrawTime(30*time.Second, "rest", i), success)
	case 5:
		pay(0, 60, soon, success)
		again(soon + time.Minute + w.DrawTime(time.Minute, "again", i))
	case 6:
		pay(0, 100, soon, success)
		pay(1, 100, soon+w.DrawTime(30*time.Second, "twice", i), success)
	case 7:
		pay(0, 100, expiry+soon, success)
	case 8:
		pay(0, 100, soon, failed)
		pay(1, 100, soon+w.DrawTime(time.Minute, "then", i), success)
	case 9:
		again(expiry + soon)
	case 10:
		pay(0, 60, soon, success)
	} // 11: not at all
	all.Go(func() { w.closeOrder(i) })
	all.Wait()
}

// open opens an order's checkout at one process or another, until it is open; nil: it cannot be
// opened any more.
func (w *world) open(i, which int) *sale {
	for try := 0; w.since() < ends-2*time.Minute; try++ {
		p := w.pick("shop", i, which, try)
		var session checkout.Session
		err := errDead
		if l := p.current(); l != nil {
			session, err = l.open(checkout.Request{OrderID: ownID(i), Price: price, Currency: "USD", Expires: expiry})
		}
		w.log("%s opens the checkout of %s: %v", p.name, ownID(i), err)
		if err == nil {
			return w.sold(i, session)
		}
		var refused *checkout.Error
		if errors.As(err, &refused) && refused.Status == http.StatusConflict && !w.hasFaults() {
			return nil // it is paid, or closed
		}
		time.Sleep(time.Second + w.DrawTime(10*time.Second, "opens", i, which, try))
	}
	return nil
}

// sold is the order at the gateway that a session is of.
func (w *world) sold(i int, session checkout.Session) *sale {
	w.gateway.mu.Lock()
	defer w.gateway.mu.Unlock()
	s := w.gateway.orders[session.ID]
	if s == nil {
		w.violated("PAGES", "%s has a checkout that the gateway does not know", ownID(i))
		return nil
	}
	s.own = ownID(i)
	return s
}

func (l *life) open(r checkout.Request) (checkout.Session, error) {
	c := l.current()
	c.turns <- struct{}{}
	defer func() { <-c.turns }()
	session, err := c.sessions.Open(context.Background(), r)
	if l.isDead.Load() {
		err = errDead // the answer does not get out
	}
	return session, err
}

// closeOrder has some orders closed, with force at times.
func (w *world) closeOrder(i int) {
	if w.Draw(4, "closes", i) > 0 || !w.has(fmt.Sprint("close", i)) {
		return
	}
	time.Sleep(w.DrawTime(time.Minute, "close", i))
	w.stepped(ownID(i))
	for try := range 5 {
		p := w.pick("closer", i, try)
		l := p.current()
		if l == nil {
			continue
		}
		order, err := l.current().sessions.Close(context.Background(), checkout.CloseRequest{OrderID: ownID(i), Reason: "a test", Force: w.Draw(4, "force", i) == 0})
		w.log("%s closes %s: %v, %+v", p.name, ownID(i), err, order.Closed)
		if err == nil {
			return
		}
		time.Sleep(w.DrawTime(20*time.Second, "closes", i, try))
	}
}

// deposit has a user deposit money.
func (w *world) deposit(i int) {
	w.at(quiet + w.DrawTime(heals-quiet, "deposit", i))
	last := success
	if w.Draw(5, "fails", i) == 0 {
		last = failed
	}
	w.pay(fmt.Sprint("d", i), nil, decimal.New(int64(100+w.Draw(900, "amount", i)), -2), last)
}

// pay makes a payment, of which the gateway's webhooks tell, or not.
func (w *world) pay(id string, of *sale, amount decimal.Decimal, last string) {
	p := &payment{
		id: id, kind: typeDeposit, of: of, amount: amount, last: last, madeAt: time.Now(),
		knownLag: w.DrawTime(2*time.Second, "known", id), doneLag: w.DrawTime(2*time.Second, "done", id),
	}
	if w.Draw(4, "lags", id) == 0 {
		p.knownLag, p.doneLag = w.DrawTime(time.Minute, "known late", id), w.DrawTime(time.Minute, "done late", id)
	}
	if of == nil {
		p.user = "user-" + id
	} else {
		p.kind = typePayment
	}
	takes := w.DrawTime(40*time.Second, "takes", id)
	p.doneAt = p.madeAt.Add(takes)
	if w.Draw(6, "risky", id) == 0 && w.has("risky"+id) {
		p.risky = true
		if w.Draw(3, "clears", id) > 0 {
			p.clearedAt = p.doneAt.Add(w.DrawTime(8*time.Minute, "cleared", id))
		}
		w.saw("risky")
	}
	w.gateway.mu.Lock()
	w.gateway.payments[id] = p
	if of != nil {
		of.payments = append(of.payments, p)
	}
	w.gateway.mu.Unlock()
	w.log("payment %s of %s, %s in %s", id, amount, last, takes)
	var sent sync.WaitGroup
	for s, status := range []string{processing, last} {
		if w.has("lost"+id+status) && w.Draw(5, "lost", id, s) == 0 {
			w.log("the webhook of %s %s is lost", id, status)
			continue
		}
		for which := range 1 + int(w.Draw(2, "copies", id, s)) {
			sent.Go(func() {
				time.Sleep(time.Duration(s)*takes + time.Duration(which)*w.DrawTime(3*time.Second, "copy", id, s))
				tries := 1000
				if w.Draw(6, "gives up", id, s) == 0 && !w.passesThrough() {
					tries = 2
				}
				w.send(p, status, which, tries)
			})
		}
		often, soon := uint64(8), time.Minute
		if p.risky { // somebody has to decide, once it was found
			often, soon = 3, 6*time.Minute
		}
		if w.Draw(often, "replay", id, s) == 0 && w.has("replay"+id+status) {
			sent.Go(func() {
				time.Sleep(time.Duration(s)*takes + w.DrawTime(soon, "replay", id, s))
				w.replay(p, status)
			})
		}
	}
	if !p.clearedAt.IsZero() {
		sent.Go(func() {
			time.Sleep(time.Until(p.clearedAt))
			w.saw("cleared")
			w.send(p, last, 50, 1000)
		})
	}
	sent.Wait()
}

// send sends a webhook to any process until one acknowledges it, or it has been tried so often.
func (w *world) send(p *payment, status string, which, tries int) {
	now := time.Now()
	body := p.body(status, now)
	sent := &hook{payment: p, key: keyOf(p, status, now), digest: digest(body)}
	w.mu.Lock()
	w.hooks = append(w.hooks, sent)
	w.mu.Unlock()
	for try := 0; try < tries && w.since() < ends-time.Minute; try++ {
		to := w.pick("to", p.id, status, which, try)
		run, code := to.receive(body, fmt.Sprint(p.id, status, which, try))
		w.log("%s answers %s.%s: %d", to.name, p.id, status, code)
		if code == http.StatusOK {
			w.mu.Lock()
			sent.run, sent.at = run, time.Now()
			w.mu.Unlock()
			return
		}
		time.Sleep(2*time.Second + w.DrawTime(30*time.Second, "again", p.id, status, which, try))
	}
}

// receive has the process take a webhook.
func (p *process) receive(body []byte, name string) (run, code int) {
	p.pause(time.Millisecond+p.DrawTime(5*time.Millisecond, "comes", name), "comes", name)
	l := p.current()
	if l == nil {
		return 0, 0
	}
	c := l.current()
	n, err := c.account.Gateway.Read(body)
	if err != nil {
		panic(err)
	}
	event := c.route.Event(n, ledger.Request{
		Method: http.MethodPost, URI: "/" + routeName, ContentType: "application/json",
		Stale: p.trusts() && p.Draw(5, "stale", name) == 0, // then it is confirmed all the same
	}, body, l.now())
	err = c.with(func(book *ledger.Ledger) error {
		code = c.route.Receive(context.Background(), n, event, caller{l}, book).Status
		return nil
	})
	p.pause(time.Millisecond, "goes", name)
	lost := p.hasFaults() && p.has("hooks") && p.Draw(15, "answer", name) == 0
	if err != nil || l.isDead.Load() || lost {
		return l.run, 0 // the answer does not get out
	}
	return l.run, code
}

// replay has an operator have an event delivered once more, or release it.
func (w *world) replay(p *payment, status string) {
	w.stepped(p.id)
	if p.of != nil {
		w.stepped(p.of.own)
	}
	at := w.pick("operator", p.id, status)
	l := at.current()
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	key, c := keyOf(p, status, p.madeAt), l.current()
	err := c.with(func(book *ledger.Ledger) error {
		o := c.operator(book, l)
		e, err := book.Load(ctx, key)
		switch {
		case err != nil:
			return err
		case e.State == ledger.Held:
			accepts := p.risky && w.Draw(2, "accepts", p.id, status) == 0
			if accepts {
				w.accept(p.id)
			}
			_, err = o.Release(ctx, key, "a test", accepts)
		case w.Draw(6, "discards", p.id, status) == 0:
			_, err = o.Discard(ctx, key, "a test", false)
		default:
			_, err = o.Replay(ctx, key, "a test")
		}
		return err
	})
	w.log("%s replays %s.%s: %v", at.name, p.id, status, err)
}
