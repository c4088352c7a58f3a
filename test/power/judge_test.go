package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// ledgerName is the file's.
const ledgerName = "ledger.db"

// judge knows what sender and app have seen of a recorded Caddy.
type judge struct {
	history.History
	sent     map[string]bool      // ids of events
	answered map[string]time.Time // when the app first said yes, by the event's id
}

func newJudge(h history.History) *judge {
	j := &judge{History: h, sent: make(map[string]bool), answered: make(map[string]time.Time)}
	for _, s := range h.Sent {
		j.sent[s.Key.EventID()] = true
	}
	for _, a := range h.Attempts {
		if first, is := j.answered[a.EventID]; a.Yes && (!is || a.Answered.Before(first)) {
			j.answered[a.EventID] = a.Answered
		}
	}
	return j
}

// check opens the ledger of a state in an empty folder, and returns what is wrong with
// it. The power was cut at a time; what was seen before that must be there, and nothing
// may be there that was done after the state's last change.
func (j *judge) check(s state, cut time.Time, folder string) (broken []string, err error) {
	for name, bytes := range s.files {
		if err := os.WriteFile(filepath.Join(folder, name), bytes, 0o600); err != nil {
			return nil, err
		}
		defer os.Remove(filepath.Join(folder, name))
	}
	path := filepath.Join(folder, ledgerName)
	defer os.Remove(path) // Open has made one
	l, err := open(path)
	if err != nil {
		return []string{"it does not open: " + err.Error()}, nil
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	complain := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	for _, sent := range j.Sent {
		if sent.Acknowledged == 0 || !sent.At.Before(cut) {
			continue
		}
		if _, err := l.Load(context.Background(), l.events[sent.Key.EventID()].Key); err != nil {
			complain("%v was acknowledged, and cannot be read: %v", sent.Key, err)
		}
	}
	for _, a := range j.Attempts {
		if !a.At.Before(cut) {
			continue
		}
		// Passed through, an attempt is written down after it, and before it only that it
		// fulfils.
		switch e := l.events[a.EventID]; {
		case a.Fulfill && l.fulfils[a.Order] != a.EventID:
			complain("the app was told to fulfil by %+v, and the flag is not there", a)
		case !j.PassesThrough && a.Number > e.Attempts:
			complain("attempt %d of %s was made, and will be again: %+v", a.Number, a.EventID, a)
		}
	}
	j.invented(l, s, complain)
	return broken, nil
}

// invented looks for what nobody did.
func (j *judge) invented(l *opened, s state, complain func(string, ...any)) {
	for id, e := range l.events {
		answered, is := j.answered[id]
		switch {
		case !j.sent[id]:
			complain("%v is there, which nobody sent", e.Key)
		case e.State == ledger.Delivered && (!is || answered.After(s.began)):
			complain("%v is called delivered before the app said so", e.Key)
		}
	}
}

// opened is a ledger as it was found.
type opened struct {
	ledger.Store
	events  map[string]ledger.Event // by id
	fulfils map[string]string       // the event that has the flag, by the order
}

func open(path string) (*opened, error) {
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return nil, err
	}
	o := &opened{Store: store, events: make(map[string]ledger.Event), fulfils: make(map[string]string)}
	if err := o.read(context.Background()); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return o, nil
}

func (o *opened) read(ctx context.Context) error {
	for cursor := ""; ; {
		page, err := o.List(ctx, ledger.Query{Limit: 1000, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			o.events[e.EventID()] = e
			if err := o.flag(ctx, e); err != nil {
				return err
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

func (o *opened) flag(ctx context.Context, e ledger.Event) error {
	if e.OrderID == "" {
		return nil
	}
	holds, err := o.Holds(ctx, e.Key, []ledger.Flag{e.InOrder().Fulfill()})
	if err == nil && holds[0] {
		o.fulfils[e.OrderID] = e.EventID()
	}
	return err
}
