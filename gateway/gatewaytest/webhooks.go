package gatewaytest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// repeats returns so many copies of the latest webhook of an order, each as the gateway
// repeats it.
func (s *stand) repeats(t *testing.T, orderID string, latest webhook, times int) []webhook {
	t.Helper()
	if r, ok := s.sandbox.(Repeater); ok {
		r.Repeat(t, orderID, times)
		list := s.take(t)
		if len(list) != times {
			t.Fatalf("%d copies came, and not %d", len(list), times)
		}
		return list
	}
	var list []webhook
	for range times {
		list = append(list, s.signed(latest))
	}
	return list
}

// copies: whatever a copy's own id, time and signature, it is the same event, which the
// app gets once, and again only where it has not acknowledged it.
func copies(t *testing.T, s *stand) {
	order, list := s.paid(t)
	last := list[len(list)-1]
	var calls []http.Header
	for _, w := range append(s.repeats(t, order.ID, last, 3), last) {
		status, called := s.deliver(t, w, http.StatusInternalServerError)
		if status != http.StatusBadGateway {
			t.Errorf("the app does not take the event, and the gateway gets %d", status)
		}
		calls = append(calls, called...)
	}
	refused := fulfilled(t, "an app that refuses", calls, 1)
	again := s.deliverAll(t, s.repeats(t, order.ID, last, 3))
	if len(again) != 1 || again[0].Get("Idempotency-Key") != refused[0].Get("Idempotency-Key") {
		t.Errorf("of three copies the app got %v, want one more attempt of the event that it has refused", again)
	}
	fulfilled(t, "an app that takes it", again, 1)
}

// atOnce: of fifty copies at once the app gets one.
func atOnce(t *testing.T, s *stand) {
	order, list := s.paid(t)
	last := list[len(list)-1]
	var all sync.WaitGroup
	var mu sync.Mutex
	var calls []http.Header
	for _, w := range s.repeats(t, order.ID, last, 50) {
		all.Go(func() {
			status, called := s.deliver(t, w, http.StatusOK)
			if status != http.StatusOK {
				t.Errorf("a copy got %d", status)
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, called...)
		})
	}
	all.Wait()
	if len(calls) != 1 {
		t.Errorf("the app was called %d times", len(calls))
	}
	fulfilled(t, "fifty at once", calls, 1)
}

// arrival: in whatever order webhooks arrive, one event fulfils the order, and what the
// app gets of a record never goes back.
func arrival(t *testing.T, s *stand) {
	s.shops(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	for round := range 8 {
		_, list := s.paid(t)
		switch round {
		case 0:
		case 1:
			slices.Reverse(list)
		default:
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		what := "the webhooks in this order:"
		for _, w := range list {
			what += fmt.Sprintf(" %s %s", w.notice.Type, w.notice.Status)
		}
		calls := s.deliverAll(t, list)
		fulfilled(t, what, calls, 1)
		rank, seq := make(map[string]int), make(map[string]uint64)
		for _, call := range calls {
			record := call.Get("Ccpayment-Type") + " " + call.Get("Ccpayment-Record-Id")
			at, err := strconv.ParseUint(call.Get("Ccpayment-Record-Seq"), 10, 64)
			now := s.account.Info.Rank(call.Get("Ccpayment-Status"))
			if err != nil || at <= seq[record] || now > 0 && now < rank[record] {
				t.Errorf("%s: the app got %v after the rank %d, Seq %d", what, call, rank[record], seq[record])
			}
			rank[record], seq[record] = now, at
		}
	}
}

// refused: an order is fulfilled although the app takes nothing at first: the event that
// tells it to is repeated until it does, whatever came of the order since.
func refused(t *testing.T, s *stand) {
	s.shops(t)
	for _, reversed := range []bool{false, true} {
		_, list := s.paid(t)
		if reversed {
			slices.Reverse(list)
		}
		var before []http.Header
		for _, w := range list {
			_, called := s.deliver(t, w, http.StatusInternalServerError)
			before = append(before, called...)
		}
		fulfilled(t, "the app refuses everything", before, 1)
		after := s.deliverAll(t, list)
		fulfilled(t, "the app takes everything", after, 1)
		fulfilled(t, "both", append(before, after...), 1)
	}
}
