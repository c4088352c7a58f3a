package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
)

// event is one webhook. Times is how often Caddy handed its key over, and Done
// what the shop did because of it; both follow from the lines of the inbox.
type event struct {
	Key         string `json:"key"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	RecordID    string `json:"record_id"`
	OrderID     string `json:"order_id"`
	Attempt     int    `json:"attempt"`
	Fulfill     bool   `json:"fulfill"`
	Credit      bool   `json:"credit"`
	OrderState  string `json:"order_state"`
	Coin        string `json:"coin"`
	Amount      string `json:"amount"`
	ReferenceID string `json:"reference_id"`
	Body        string `json:"body"`
	Times       int    `json:"times"`
	Done        string `json:"done"`
}

// inbox holds each event once, by its key. Every handover is one line in its
// file, so that a restart forgets nothing. A real shop has a table with the key
// as its primary key, and writes to it in the transaction that changes the
// order.
type inbox struct {
	mu      sync.Mutex
	file    *os.File
	events  []event
	shipped map[string]bool // by order id
}

func openInbox(path string) (*inbox, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	// A crash can leave half a line at the end. Nobody was told that it is
	// kept, so it is dropped and comes again.
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	box := &inbox{file: file, shipped: make(map[string]bool)}
	for line := range bytes.Lines(whole) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		box.add(e)
	}
	return box, file.Truncate(int64(len(whole)))
}

// keep returns once the event is on the disk, what was done because of it, and
// whether it is new.
// An inbox that cannot be written must not go on: the shop ends, nothing was
// acknowledged, and the event comes again.
func (box *inbox) keep(e event) (done string, isNew bool) {
	line, err := json.Marshal(e)
	if err != nil {
		log.Fatalf("encoding an event: %v", err)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if _, err := box.file.Write(append(line, '\n')); err != nil {
		log.Fatalf("writing the inbox: %v", err)
	}
	if err := box.file.Sync(); err != nil {
		log.Fatalf("writing the inbox: %v", err)
	}
	return box.add(e)
}

func (box *inbox) add(e event) (done string, isNew bool) {
	known := slices.IndexFunc(box.events, func(old event) bool { return old.Key == e.Key })
	if known >= 0 {
		box.events[known].Times++
		box.events[known].Attempt = e.Attempt
		return "", false
	}
	e.Times, e.Done = 1, box.act(e)
	box.events = append(box.events, e)
	return e.Done, true
}

// act ships an order that is paid and was not shipped yet, and credits a
// deposit. What came before, and in which order, does not matter.
func (box *inbox) act(e event) string {
	switch {
	case e.Fulfill && !box.shipped[e.OrderID]:
		box.shipped[e.OrderID] = true
		return "ships " + e.OrderID
	case e.Credit:
		return strings.Join([]string{"credits", e.Amount, e.Coin, "to", e.ReferenceID}, " ")
	default:
		return ""
	}
}

// seen returns a copy of all events, in the order of their first arrival.
func (box *inbox) seen() []event {
	box.mu.Lock()
	defer box.mu.Unlock()
	return append([]event{}, box.events...)
}
