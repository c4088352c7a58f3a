package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

// paced is one measurement at a fixed rate.
type paced struct {
	perSecond int
	sent      int
	answered  int
	answers   []time.Duration // from when each was due to its response, sorted
	arrivals  []time.Duration // and to its arrival at the app, where that is another time
	cpu       time.Duration
	peak      memory
}

// behind: not all had responses. What answers has of the others is
// how long they had waited when the measurement ended.
func (p paced) behind() bool { return p.answered < p.sent }

// grace is how long responses are waited for after the last event was due.
const grace = 2 * time.Second

// pace sends events when they are due, whether or not the ones before have
// responses. An event that finds all connections busy waits for one, and the
// waiting counts.
func (b *bench) pace(t *target, perSecond int, duration time.Duration) (paced, error) {
	n := int(float64(perSecond) * duration.Seconds())
	r := b.signed(n).want(t.yes)
	b.app.arrivals.Clear()
	b.app.watched.Store(t.later)
	defer b.app.watched.Store(false)
	cpu, peak := t.cpu(), t.watch()

	begin := time.Now().Add(10 * time.Millisecond)
	dueAt := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Second / time.Duration(perSecond)) }
	end := dueAt(n).Add(grace)
	due := make(chan int, n)
	go func() {
		defer close(due)
		runtime.LockOSThread() // sleeps in the kernel, which is more exact than the runtime's timers
		defer runtime.UnlockOSThread()
		for i := range n {
			sleepUntil(dueAt(i))
			due <- i
		}
	}()
	p := paced{perSecond: perSecond, sent: n, answers: make([]time.Duration, n)}
	failures := make([]error, b.connections)
	var all sync.WaitGroup
	for w := range b.connections {
		all.Go(func() { failures[w] = answerTimes(t.addr, r, due, dueAt, end, p.answers) })
	}
	all.Wait()
	over := time.Now()
	p.peak = peak()
	for range due { // after a failure, the rest is not sent
	}
	if err := errors.Join(failures...); err != nil {
		return p, err
	}
	if t.later {
		if err := b.arrivalTimes(&p, r, dueAt); err != nil {
			return p, err
		}
	}
	for i, took := range p.answers {
		if took > 0 {
			p.answered++
		} else {
			p.answers[i] = over.Sub(dueAt(i))
		}
	}
	p.cpu = t.cpu() - cpu
	slices.Sort(p.answers)
	return p, nil
}

// answerTimes delivers over one connection what is due until the end.
func answerTimes(addr string, r requests, due <-chan int, dueAt func(int) time.Time, end time.Time, took []time.Duration) error {
	connection, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(end.Add(time.Minute)); err != nil {
		return err
	}
	s := &sender{connection: connection, answers: bufio.NewReader(connection), want: r.answer}
	for i := range due {
		if time.Now().After(end) {
			return nil
		}
		if _, err := connection.Write(r.bytes[i]); err != nil {
			return err
		}
		if err := s.read(); err != nil {
			return err
		}
		took[i] = time.Since(dueAt(i))
	}
	return nil
}

// arrivalTimes waits for what was acknowledged to arrive at the app.
func (b *bench) arrivalTimes(p *paced, r requests, dueAt func(int) time.Time) error {
	deadline := time.Now().Add(2 * time.Minute)
	for i, took := range p.answers {
		if took == 0 {
			continue
		}
		id := string(recordOf(r.bytes[i]))
		at, ok := b.app.arrivals.Load(id)
		for ; !ok; at, ok = b.app.arrivals.Load(id) {
			if time.Now().After(deadline) {
				return fmt.Errorf("record %s never arrived", id)
			}
			time.Sleep(time.Millisecond)
		}
		p.arrivals = append(p.arrivals, at.(time.Time).Sub(dueAt(i)))
	}
	slices.Sort(p.arrivals)
	return nil
}

// recordOf is the record id of a request.
func recordOf(request []byte) []byte {
	_, rest, _ := bytes.Cut(request, []byte(`"recordId":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return id
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[min(int(float64(len(sorted))*p), len(sorted)-1)]
}
