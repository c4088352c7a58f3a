package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// lag sends events at a fixed rate, whether or not the ones before have been
// answered, and returns how long after its sending each arrived at the app.
func (b *bench) lag(perSecond int, duration time.Duration) ([]time.Duration, error) {
	n := perSecond * int(duration.Seconds())
	r := b.signed(n)
	b.app.arrivals.Clear()
	b.app.watched.Store(true)
	defer b.app.watched.Store(false)
	const senders = 64
	sent := make([]time.Time, n)
	failures := make([]error, senders)
	var all sync.WaitGroup
	begin := time.Now()
	for w := range senders {
		all.Go(func() { failures[w] = b.pace(r, w, senders, perSecond, begin, sent) })
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	lags := make([]time.Duration, n)
	for i := range sent {
		id := string(recordOf(r.bytes[i]))
		deadline := time.Now().Add(30 * time.Second)
		for {
			if at, ok := b.app.arrivals.Load(id); ok {
				lags[i] = at.(time.Time).Sub(sent[i])
				break
			}
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("record %s never arrived", id)
			}
			time.Sleep(time.Millisecond)
		}
	}
	slices.Sort(lags)
	return lags, nil
}

// pace sends every senders-th request when it is due.
func (b *bench) pace(r requests, first, senders, perSecond int, begin time.Time, sent []time.Time) error {
	connection, err := net.Dial("tcp", b.server.stored)
	if err != nil {
		return err
	}
	defer connection.Close()
	s := &sender{connection: connection, answers: bufio.NewReader(connection), want: r.answer}
	for i := first; i < len(r.bytes); i += senders {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		sent[i] = due // a late sender counts as waiting
		if _, err := connection.Write(r.bytes[i]); err != nil {
			return err
		}
		if err := s.read(); err != nil {
			return err
		}
	}
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
