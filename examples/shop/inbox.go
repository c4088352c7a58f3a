package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"os"
	"slices"
	"sync"
)

// event is one webhook; Times is how often Caddy handed its key over.
type event struct {
	Key      string `json:"key"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	RecordID string `json:"record_id"`
	OrderID  string `json:"order_id"`
	Attempt  int    `json:"attempt"`
	Times    int    `json:"times"`
	Body     string `json:"body"`
}

// inbox holds each event once, by its key. Every handover is one line in its
// file, so that a restart forgets nothing. A real shop has a table with the key
// as its primary key, and writes to it in the transaction that changes the
// order.
type inbox struct {
	mu     sync.Mutex
	file   *os.File
	events []event
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
	box := &inbox{file: file}
	for line := range bytes.Lines(whole) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		box.add(e)
	}
	return box, file.Truncate(int64(len(whole)))
}

// keep returns once the event is on the disk, and reports whether it is new.
// An inbox that cannot be written must not go on: the shop ends, nothing was
// acknowledged, and the event comes again.
func (box *inbox) keep(e event) bool {
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

func (box *inbox) add(e event) bool {
	e.Times = 1
	known := slices.IndexFunc(box.events, func(old event) bool { return old.Key == e.Key })
	if known < 0 {
		box.events = append(box.events, e)
		return true
	}
	box.events[known].Times++
	box.events[known].Attempt = e.Attempt
	return false
}

// seen returns a copy of all events, in the order of their first arrival.
func (box *inbox) seen() []event {
	box.mu.Lock()
	defer box.mu.Unlock()
	return append([]event{}, box.events...)
}
