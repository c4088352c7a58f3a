package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// Order makes an order. It is to be paid in full if isPaid.
func (s *Shop) Order(id string, isPaid bool) error {
	err := s.gateway.order(context.Background(), id)
	if isPaid && !s.Trusts {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paid = append(s.paid, id)
	}
	return err
}

// Pay makes a payment arrive, whose webhooks follow.
func (s *Shop) Pay(p sandbox.Payment) (recordID string, err error) {
	record, err := s.gateway.pay(context.Background(), p)
	if err != nil {
		return "", err
	}
	if p.Status != "processing" {
		s.Await(record, p)
	}
	return record, nil
}

// Await has the payment's last status be waited for.
func (s *Shop) Await(recordID string, p sandbox.Payment) ledger.Key {
	key := s.gateway.last(recordID, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaits = append(s.awaits, key)
	return key
}

// allSent reports whether the sandbox has sent the last status of every payment.
func (s *Shop) allSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.awaits) > 0 && s.Outbox.IsSent(s.awaits[0]) {
		s.awaits = s.awaits[1:]
	}
	return len(s.awaits) == 0
}

// Processing makes an order, and a payment of which the app knows that it is on its
// way. All Caddys run.
func (s *Shop) Processing(order string, p sandbox.Payment) (record string) {
	s.t.Helper()
	if err := s.Order(order, true); err != nil {
		s.t.Fatal(err)
	}
	p.OrderID, p.Status = order, "processing"
	record, err := s.Pay(p)
	if err != nil {
		s.t.Fatal(err)
	}
	key := s.Await(record, p)
	processtest.Until(s.t, "the payment's Processing was sent", func() bool { return s.Outbox.IsSent(key) })
	s.Settle()
	return record
}

// Succeed lets the payment succeed, and returns when its webhook was sent.
func (s *Shop) Succeed(record string) {
	s.t.Helper()
	if err := s.Box.Finish(record, "success"); err != nil {
		s.t.Fatal(err)
	}
	key := s.Await(record, sandbox.Payment{})
	processtest.Until(s.t, "the payment's Success was sent", func() bool { return s.Outbox.IsSent(key) })
}

// Attempts returns the attempts at a status that the app got.
func (s *Shop) Attempts(status string) []history.Attempt {
	s.t.Helper()
	attempts, _, err := ReadApp(s.Inbox)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(attempts, func(a history.Attempt) bool { return a.Status != status })
}

// resending is the condition, and at each hundredth time has sent again what
// CCPayment may have given up, as an operator asks for it. It does not wait for the
// responses, which come late where a dead Caddy has the record.
func (s *Shop) resending(condition func() bool) func() bool {
	polls := 0
	return func() bool {
		if polls++; polls%100 == 0 && s.isResending.CompareAndSwap(false, true) {
			s.rounds.Go(func() {
				defer s.isResending.Store(false)
				var all sync.WaitGroup
				for _, body := range s.Outbox.Unacknowledged() {
					all.Go(func() { _ = s.Outbox.Copy(s.Hook, body) }) // the next round asks again
				}
				all.Wait()
			})
		}
		return condition()
	}
}

// Acknowledged waits until everything was sent and acknowledged.
func (s *Shop) Acknowledged() {
	s.t.Helper()
	processtest.Until(s.t, "everything was sent and acknowledged", s.resending(func() bool {
		_, open := s.Outbox.Count()
		return open == 0 && s.allSent()
	}))
}

// Settle waits until everything was sent, acknowledged and delivered, as long as there
// is progress.
func (s *Shop) Settle() {
	s.t.Helper()
	s.Acknowledged()
	for left := uint64(math.MaxUint64); left > 0; {
		processtest.Until(s.t, "fewer events are pending", func() bool {
			n, known := s.pending()
			if !known || n >= left {
				return false
			}
			left = n
			return true
		})
	}
}

// pending asks Caddy how many events are on their way. Right after its start it
// may not know yet.
func (s *Shop) pending() (n uint64, known bool) {
	s.t.Helper()
	response, err := processtest.Once.Get("http://" + s.Any().Admin + "/ccpayment/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var status struct{ Routes []struct{ Pending uint64 } }
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		s.t.Fatal(err)
	}
	for _, route := range status.Routes {
		n += route.Pending
	}
	return n, response.StatusCode == http.StatusOK
}

// History stops the Caddys and collects what all three have written down.
func (s *Shop) History() history.History {
	s.t.Helper()
	s.rounds.Wait()
	for _, c := range s.Caddys {
		c.Stop()
	}
	h := history.History{
		PassesThrough: s.PassesThrough, Shared: s.ledger.Shared, ClockSet: s.clockSet, Cuts: s.runs.cuts, Sent: s.Outbox.log(), Paid: s.paid,
	}
	var err error
	if h.Attempts, h.Applied, err = ReadApp(s.Inbox); err != nil {
		s.t.Fatal(err)
	}
	store, err := s.ledger.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for cursor := ""; ; {
		page, err := store.List(s.t.Context(), ledger.Query{Limit: 1000, Cursor: cursor})
		if err != nil {
			s.t.Fatal(err)
		}
		h.Events = append(h.Events, page.Events...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for cursor := ""; ; {
		page, err := store.Orders(s.t.Context(), ledger.OrderQuery{Limit: 1000, AnyAccount: true, Cursor: cursor})
		if err != nil {
			s.t.Fatal(err)
		}
		h.Orders = append(h.Orders, page.Orders...)
		if cursor = page.Next; cursor == "" {
			return h
		}
	}
}

// Check judges a history.
func Check(t *testing.T, h history.History) history.Report {
	t.Helper()
	report := history.Check(h)
	for i, v := range report.Violations {
		if i == 20 {
			t.Errorf("and %d more", len(report.Violations)-i)
			break
		}
		t.Errorf("not kept: %s: %s", v.Promise, v.Text)
	}
	return report
}

// Judge has all settle, judges what happened and plots it, and returns the figures.
func (s *Shop) Judge() (figures string) {
	s.t.Helper()
	s.Settle()
	h := s.History()
	report := Check(s.t, h)
	s.plot(h)
	return fmt.Sprintf("%d orders of which %d paid, %d deliveries of %d events, %d attempts of which %d made again, %d in the untraced way, %d late with the flag",
		len(h.Orders), len(h.Paid), len(h.Sent), len(h.Events), len(h.Attempts), report.Again, report.Untraced, report.Carried)
}
