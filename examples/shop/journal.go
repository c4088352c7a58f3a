package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// event is one webhook. Times is how often Caddy delivered its key, and Done
// what the shop did because of it, the first time or a later one; both follow
// from the lines of the journal.
type event struct {
	Key         string `json:"key"`
	Gateway     string `json:"gateway"`
	Kind        string `json:"kind"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	RecordID    string `json:"record_id"`
	OrderID     string `json:"order_id"`
	Attempt     int    `json:"attempt"`
	Fulfill     bool   `json:"fulfill"`
	Credit      bool   `json:"credit"`
	OrderState  string `json:"order_state"`
	Reason      string `json:"reason"`
	Due         string `json:"due"`
	Paid        string `json:"paid"`
	Coin        string `json:"coin"`
	Amount      string `json:"amount"`
	ReferenceID string `json:"reference_id"`
	Body        string `json:"body"`
	Times       int    `json:"times"`
	Done        string `json:"done"`
}

// entry is a line of the journal: an order that was made, or a webhook that was
// delivered.
type entry struct {
	Order *order `json:"order,omitempty"`
	Event *event `json:"event,omitempty"`
}

// journal is all that the shop keeps: its orders, and its inbox, which has each
// event once, by its key. A line is a transaction: that an event is known and
// that it shipped its order are on the disk together or not at all. A real shop
// has two tables instead, and a transaction over both.
type journal struct {
	mu       sync.Mutex
	file     *os.File
	orders   map[string]*order // by id
	events   []event
	credited map[string]bool // by type and record
}

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	// A crash can leave half a line at the end. Its event was not acknowledged, so it is
	// dropped and comes again.
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	j := &journal{file: file, orders: make(map[string]*order), credited: make(map[string]bool)}
	for line := range bytes.Lines(whole) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		j.apply(e)
	}
	return j, file.Truncate(int64(len(whole)))
}

// write returns once the entry is on the disk.
func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// keep writes an event down and does what it asks for. It returns what was done,
// and whether the event is new. After an error nothing was done, and the shop
// must not go on: what stands in the file is not known.
func (j *journal) keep(e event) (done string, isNew bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(entry{Event: &e}); err != nil {
		return "", false, err
	}
	done, isNew = j.add(e)
	return done, isNew, nil
}

func (j *journal) apply(e entry) {
	if e.Order != nil {
		j.orders[e.Order.ID] = e.Order
	}
	if e.Event != nil {
		j.add(*e.Event)
	}
}

// add has a repeat act too, for it may be the first to have the flag. One that
// does nothing new changes nothing. The order's state is for the buyer's page
// only.
func (j *journal) add(e event) (done string, isNew bool) {
	done = j.act(e)
	known := slices.IndexFunc(j.events, func(old event) bool { return old.Key == e.Key })
	if known >= 0 && done == "" {
		j.events[known].Times++
		j.events[known].Attempt = e.Attempt
		return "", false
	}
	if o := j.orders[e.OrderID]; o != nil && e.OrderState != "" {
		o.State, o.Due, o.Paid, o.Refunds = e.OrderState, e.Due, e.Paid, e.Reason == "gateway_refunds"
	}
	e.Times, e.Done = 1, done
	if known < 0 {
		j.events = append(j.events, e)
		return done, true
	}
	e.Times += j.events[known].Times
	j.events[known] = e
	return done, false
}

// act ships an order that is paid and was not shipped yet, and credits a
// deposit that was not credited yet. Which event says so, how often, and what
// came before does not matter.
func (j *journal) act(e event) string {
	o, deposit := j.orders[e.OrderID], e.Type+" "+e.RecordID
	switch {
	case e.Fulfill && o == nil:
		return "knows no order " + e.OrderID
	case e.Fulfill && !o.Shipped:
		o.Shipped = true
		return "ships " + o.ID
	case e.Credit && !j.credited[deposit]:
		j.credited[deposit] = true
		return strings.Join([]string{"credits", e.Amount, e.Coin, "to", e.ReferenceID}, " ")
	default:
		return ""
	}
}

// order makes an order of what is in a cart. The same cart with the same goods
// is the same order, however often it is sent. An order never changes: other
// goods are another order, so that nobody pays the price of the first for them.
func (j *journal) order(cart string, lines []line) (order, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.orders {
		if o.Cart == cart && slices.Equal(o.Lines, lines) {
			return *o, nil
		}
	}
	o := newOrder(cart, lines)
	if err := j.write(entry{Order: &o}); err != nil {
		return order{}, err
	}
	j.orders[o.ID] = &o
	return o, nil
}

// find returns an order by its id.
func (j *journal) find(id string) (order, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	o, ok := j.orders[id]
	if !ok {
		return order{}, false
	}
	return *o, true
}

// all are the ids of all orders.
func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Keys(j.orders))
}

// seen returns a copy of all events, in the order of their first arrival.
func (j *journal) seen() []event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]event{}, j.events...)
}
