package ledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func (p *process) start(isShared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil && !p.isDead {
		return
	}
	p.life++
	p.isDead = false
	life := p.life
	connection := p.database.Connect(p.name)
	road := p.way(connection, life)
	var store ledger.Store = road
	if !isShared {
		connection.BeAlone()
		store = simstore.Alone(road)
	}
	p.ledger = ledger.New(store, func() time.Time { return time.Now().Add(p.skew) })
	p.ledger.SetProcess(fmt.Sprint(p.name, life))
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go p.ledger.Share(ctx, func() ledger.Session { return ledger.Session{Routes: []ledger.SessionRoute{{Name: "webhook"}}} }, func(error) {})
	p.log("%s starts", p.name)
	if p.waits {
		return
	}
	go p.ledger.Dispatch(ctx, ledger.Dispatcher{
		Route: "webhook", Plan: worldPlan, Lease: p.lease, Workers: 4, Direct: p.direct, Rank: rank,
		Work:   func(a *ledger.Attempt) (ledger.Contact, error) { contact, _, err := p.deliver(a); return contact, err },
		Failed: func(error) {}, Damaged: func(string, error) {},
	})
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isDead {
		p.isDead = true
		p.stop()
		p.log("%s is killed", p.name)
	}
}

// deliver makes one attempt at the app.
func (p *process) deliver(a *ledger.Attempt) (ledger.Contact, ledger.State, error) {
	key := a.Event.Key
	var sending ledger.Sending
	if key.Status == "success" && !p.direct {
		flag := ledger.FulfillOf(key.AppID, orderOf(key))
		sending.Flag = &flag
	}
	carries, err := a.Sent(bg, sending)
	if err != nil {
		return ledger.Untried, ledger.None, err
	}
	n := p.nth("call" + simstore.NameOf(key))
	c := &appCall{process: p.name, key: key, number: a.Number, seq: a.Seq, fulfil: carries, start: p.since()}
	p.log("%s calls the app: %s attempt %d, %s, seq %d, fulfil %v", p.name, simstore.NameOf(key), a.Number, a.Reason, a.Seq, carries)
	p.world.mu.Lock()
	p.calls = append(p.calls, c)
	p.world.mu.Unlock()

	takes := time.Millisecond + p.DrawTime(200*time.Millisecond, "takes", simstore.NameOf(key), n)
	if p.Draw(10, "slow", simstore.NameOf(key), n) == 0 {
		takes = p.DrawTime(25*time.Second, "slowly", simstore.NameOf(key), n)
	}
	ctx, cancel := a.Within(bg)
	defer cancel()
	wasCut := false
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		wasCut = true
	}
	end := p.since()
	yes := end > worldHeals || p.Draw(10, "yes", simstore.NameOf(key), n) < 6
	p.pause(0, "answer", simstore.NameOf(key), n)
	var state ledger.State
	spared := !yes && !wasCut && p.Draw(2, "at work", simstore.NameOf(key), n) == 0
	if yes && !wasCut {
		state, err = a.Finish(bg, ledger.Ending{State: ledger.Delivered})
	} else {
		state, err = a.Finish(bg, ledger.Ending{State: ledger.Retrying, Failure: errRefused, Again: ledger.Again{Spared: spared}})
	}
	if yes && err != nil && p.since() < worldHeals && p.Draw(3, "in doubt", simstore.NameOf(key), n) == 0 {
		go func() { // an operator who sees that, and does not wait
			time.Sleep(p.DrawTime(5*time.Second, "in doubt", simstore.NameOf(key), n))
			p.replay(key, 100+n)
		}()
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	c.end, c.yes, c.spared = end, yes, spared
	c.frozen = p.wasFrozen(c.start, p.since())
	c.excused = err != nil || wasCut || p.wasDisturbed(c.start, p.since())
	if err == nil {
		c.known = p.since()
	}
	return ledger.Reached, state, err
}

// orderOf: two records pay one order.
func orderOf(key ledger.Key) string { return "order" + key.ID[:1] }

// send delivers a webhook to any process until one acknowledges it, as CCPayment does.
func (w *world) send(key ledger.Key, which int) {
	for try := 0; w.since() < worldEnds; try++ {
		p := w.processes[w.Draw(uint64(len(w.processes)), "to", simstore.NameOf(key), which, try)]
		if err := p.receive(key); err == nil {
			w.mu.Lock()
			w.acked[key] = true
			w.mu.Unlock()
			return
		}
		time.Sleep(2*time.Second + w.DrawTime(30*time.Second, "again", simstore.NameOf(key), which, try))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated("TAKEN: nobody acknowledges %s", simstore.NameOf(key))
}

// replay asks a process to hand an event over once more, as an operator does.
func (w *world) replay(key ledger.Key, which int) {
	p := w.processes[w.Draw(uint64(len(w.processes)), "operator", simstore.NameOf(key), which)]
	p.mu.Lock()
	l, isDead := p.ledger, p.isDead
	p.mu.Unlock()
	if isDead {
		return
	}
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	err := l.Replay(ctx, key, "once more")
	p.log("%s replays %s: %v", p.name, simstore.NameOf(key), err)
	if w.waits {
		w.send(key, 2+which) // the gateway is asked to send it again
	}
}

func (p *process) receive(key ledger.Key) (err error) {
	p.mu.Lock()
	l, isDead, life := p.ledger, p.isDead, p.life
	p.mu.Unlock()
	if isDead {
		return errDead
	}
	e := ledger.Event{
		Key: key, Status: key.Status, ReceivedAt: time.Now().Add(p.skew), Body: []byte("{}"),
		OrderID: orderOf(key), GatewayOrderID: orderOf(key),
	}
	if p.waits {
		var attempt *ledger.Attempt
		var verdict ledger.Verdict
		verdict, attempt, err = l.Begin(bg, e, ledger.Options{Lease: p.lease, Wait: 10 * time.Second, Rank: rank})
		if err == nil && verdict == ledger.Deliver {
			var state ledger.State
			if _, state, err = p.deliver(attempt); err == nil && state != ledger.Delivered {
				err = errRefused
			}
		}
	} else {
		_, err = l.Accept(bg, e, "")
	}
	if (&way{process: p, life: life}).isGone() {
		err = errDead // its answer does not get out
	}
	p.log("%s answers %s: %v", p.name, simstore.NameOf(key), err)
	return err
}
