package postgres

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// hintEvery is how often hints are sent at most. PostgreSQL has all commits that
	// notify wait for one another, so no commit of a step does.
	hintEvery = 50 * time.Millisecond
	// longestHint is how many bytes one notification can have, with room to spare.
	longestHint = 7500
	listenAgain = time.Second
)

// hints are what this process tells the others, and hears from them.
type hints struct {
	mu     sync.Mutex
	hear   func(ledger.Hint)
	routes map[string]bool
	orders map[ledger.OrderID]bool
	// isSending: hints are being sent, or will be.
	isSending bool
	listens   sync.Once
	// listening: hints arrive now.
	listening atomic.Bool
}

// note is a hint as it is sent. Names are sent as bytes, whatever is in them.
type note struct {
	From   string      `json:"f"`
	Routes [][]byte    `json:"r,omitempty"`
	Orders [][2][]byte `json:"o,omitempty"`
}

// channel is what the processes that share the ledger listen on.
func (s *Store) channel() string {
	id := digestOf(s.opts.Schema)
	return "ccpayment_" + hex.EncodeToString(id[:])
}

// Wake implements [ledger.Cluster].
func (s *Store) Wake(change ledger.Hint) {
	if s.opts.NoListen || s.isPooled.Load() {
		return
	}
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.routes == nil {
		h.routes, h.orders = make(map[string]bool), make(map[ledger.OrderID]bool)
	}
	for _, route := range change.Routes {
		h.routes[route] = true
	}
	for _, order := range change.Orders {
		h.orders[order] = true
	}
	if h.isSending || !s.enter() {
		return
	}
	h.isSending = true
	go s.sendHints()
}

// OnWake implements [ledger.Cluster].
func (s *Store) OnWake(f func(ledger.Hint)) {
	s.hints.mu.Lock()
	defer s.hints.mu.Unlock()
	s.hints.hear = f
}

// sendHints sends what has come, and what comes until it has, at most every hintEvery.
func (s *Store) sendHints() {
	defer s.active.Done()
	h := &s.hints
	for {
		h.mu.Lock()
		if len(h.routes)+len(h.orders) == 0 || s.closing.Err() != nil {
			h.isSending = false
			h.mu.Unlock()
			return
		}
		notes := h.notes(hex.EncodeToString(s.instance[:]))
		clear(h.routes)
		clear(h.orders)
		h.mu.Unlock()
		_, _ = use(context.Background(), s, s.pool, repeats, func(ctx context.Context, conn *pgx.Conn) (struct{}, error) {
			var batch pgx.Batch
			for _, payload := range notes {
				batch.Queue(`select pg_notify($1, $2)`, s.channel(), payload)
			}
			return struct{}{}, conn.SendBatch(ctx, &batch).Close()
		}) // what is lost the others find by polling
		select {
		case <-time.After(hintEvery):
		case <-s.closing.Done():
		}
	}
}

// notes encodes what is to be told, in as many notes as it takes. What is too long for
// one is left out. The caller holds the mutex.
func (h *hints) notes(from string) []string {
	var notes []string
	next, size := note{From: from}, 0
	flush := func() {
		if size > 0 {
			encoded, _ := json.Marshal(next) // bytes are always JSON
			notes = append(notes, string(encoded))
		}
		next, size = note{From: from}, 0
	}
	room := func(n int) bool {
		n = (n+2)/3*4 + 16 // as base64 in JSON
		if n > longestHint-64 {
			return false
		}
		if size+n > longestHint-64 {
			flush()
		}
		size += n
		return true
	}
	for route := range h.routes {
		if room(len(route)) {
			next.Routes = append(next.Routes, []byte(route))
		}
	}
	for order := range h.orders {
		if room(len(order.AppID) + len(order.ID) + 8) {
			next.Orders = append(next.Orders, [2][]byte{[]byte(order.AppID), []byte(order.ID)})
		}
	}
	flush()
	return notes
}

// startListening hears what other processes tell, until the store is closed.
func (s *Store) startListening() {
	s.hints.listens.Do(func() {
		s.active.Add(1)
		go func() {
			defer s.active.Done()
			for s.closing.Err() == nil {
				s.listen()
				select {
				case <-time.After(listenAgain):
				case <-s.closing.Done():
				}
			}
		}()
	})
}

// listen hears what other processes tell until its connection is lost.
func (s *Store) listen() {
	conn, err := s.dial(s.closing)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(s.closing, `listen `+s.channel()); err != nil {
		return
	}
	s.hints.listening.Store(true)
	defer s.hints.listening.Store(false)
	for {
		heard, err := conn.WaitForNotification(s.closing)
		if err != nil {
			return
		}
		if hint, ok := s.hintOf(heard.Payload); ok {
			s.hints.mu.Lock()
			hear := s.hints.hear
			s.hints.mu.Unlock()
			if hear != nil {
				hear(hint)
			}
		}
	}
}

// hintOf reads a note; false: it is our own, or none.
func (s *Store) hintOf(payload string) (hint ledger.Hint, ok bool) {
	var n note
	if err := json.Unmarshal([]byte(payload), &n); err != nil || n.From == hex.EncodeToString(s.instance[:]) {
		return hint, false
	}
	for _, route := range n.Routes {
		hint.Routes = append(hint.Routes, string(route))
	}
	for _, order := range n.Orders {
		hint.Orders = append(hint.Orders, ledger.OrderID{AppID: string(order[0]), ID: string(order[1])})
	}
	return hint, len(hint.Routes)+len(hint.Orders) > 0
}

// Interface guard
var _ ledger.Cluster = (*Store)(nil)
