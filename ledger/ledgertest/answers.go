package ledgertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func (s *store) answers(t *testing.T, key ledger.Key) []ledger.Answer {
	t.Helper()
	got, err := s.Answers(bg, key)
	if err != nil {
		t.Errorf("the answers of %s: %v", key.ID, err)
	}
	return got
}

// answers: what the app answered is kept of the latest attempts, and as long as the body.
func answers(t *testing.T, s *store) {
	e, other := event(record("1"), "Success"), event(record("1"), "Processing")
	_, err := s.Answers(bg, e.Key)
	wantErr(t, "the answers of an event that is not there", err, ledger.ErrNotFound)
	s.put(t, e, ledger.Received)
	s.put(t, other, ledger.Received)
	if got := s.answers(t, e.Key); len(got) != 0 {
		t.Errorf("before the first attempt there are %+v", got)
	}
	attempt := func(key ledger.Key, n int, answer *ledger.Answer, end ledger.State) {
		t.Helper()
		s.commit(t, s.claim(t, key.Record), ledger.Change{Event: ledger.Event{Key: key}, Answer: answer, Transitions: []ledger.Transition{
			{At: start, State: ledger.Delivering, Attempt: n, Seq: 1}, {At: start, State: end, Attempt: n},
		}})
	}
	var want []ledger.Answer
	for n := 1; n <= ledger.MostAnswers+3; n++ {
		answer := ledger.Answer{Attempt: n, Status: 500 + n, Location: "/é\x00", Body: fmt.Sprint("<no>\n", n), Cut: n%2 == 0}
		attempt(e.Key, n, &answer, ledger.Retrying)
		want = append(want, answer)
	}
	want = want[3:]
	if got := s.answers(t, e.Key); !slices.Equal(got, want) {
		t.Errorf("kept are %+v, want %+v", got, want)
	}
	attempt(other.Key, 1, &ledger.Answer{Attempt: 1, Status: 410, Body: "gone"}, ledger.Delivered)
	attempt(e.Key, ledger.MostAnswers+4, nil, ledger.Delivered) // a plain yes
	if got := s.answers(t, e.Key); !slices.Equal(got, want) {
		t.Errorf("after a plain yes are kept %+v, want %+v", got, want)
	}
	// An attempt that another process made at the same time comes too late with its no.
	attempt(e.Key, ledger.MostAnswers+4, &ledger.Answer{Attempt: ledger.MostAnswers + 4, Status: 500}, ledger.Retrying)
	if got := s.answers(t, e.Key); !slices.Equal(got, want) {
		t.Errorf("after a late no are kept %+v, want %+v", got, want)
	}
	if got, err := s.Load(bg, e.Key); err != nil || string(got.Body) != string(e.Body) {
		t.Errorf("the body is %q, %v", got.Body, err)
	}

	waiting := event(record("2"), "Success")
	s.put(t, waiting, ledger.Received)
	attempt(waiting.Key, 1, &ledger.Answer{Attempt: 1, Status: 503}, ledger.Retrying)
	s.prune(t, start.Add(time.Hour), 10, 2)
	s.prune(t, start.Add(time.Hour), 10, 0)
	for _, key := range []ledger.Key{e.Key, other.Key} {
		if got := s.answers(t, key); len(got) != 0 {
			t.Errorf("with the body pruned there are %+v", got)
		}
	}
	if got := s.answers(t, waiting.Key); len(got) != 1 || got[0].Status != 503 {
		t.Errorf("of an event that waits there are %+v", got)
	}
}

// holdsMany: of flags of many events is told which are bound to which.
func holdsMany(t *testing.T, s *store) {
	var of []ledger.Holding
	var want []bool
	for i := range 5 {
		e := event(record(fmt.Sprint(i)), "Success")
		claim := s.claim(t, e.Record)
		flag := ledger.CreditOf(e.Record)
		if i%2 == 0 {
			if _, err := s.Bind(bg, claim, change(e, ledger.Received), []ledger.Flag{flag}); err != nil {
				t.Fatal(err)
			}
		}
		of = append(of, ledger.Holding{Key: e.Key, Flag: flag}, ledger.Holding{Key: e.Key, Flag: ledger.CreditOf(record("0"))})
		want = append(want, i%2 == 0, i == 0)
	}
	if got, err := s.HoldsMany(bg, of); err != nil || !slices.Equal(got, want) {
		t.Errorf("bound are %v, %v, want %v", got, err, want)
	}
	if got, err := s.HoldsMany(bg, nil); err != nil || len(got) != 0 {
		t.Errorf("of none are bound %v, %v", got, err)
	}
}

// listMost: a list that looks at a few events at a time comes to the same end.
func listMost(t *testing.T, s *store) {
	for i := range 7 {
		e := event(record(fmt.Sprint(i)), "Success")
		e.ReceivedAt = start.Add(time.Duration(i) * time.Second)
		if i%3 == 0 {
			e.UserID = "searched"
		}
		s.put(t, e, delivered...)
	}
	query := ledger.Query{Text: "searched", Limit: 2, Most: 2}
	var got []string
	for n := 0; n < 20; n++ {
		page, err := s.List(bg, query)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			got = append(got, e.ID)
		}
		if query.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if want := []string{"6", "3", "0"}; !slices.Equal(got, want) || query.Cursor != "" {
		t.Errorf("found are %v, want %v, and it goes on at %q", got, want, query.Cursor)
	}
}
