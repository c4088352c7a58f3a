package ccpayment_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestOrderOfARecord: an event that a later status has superseded is not delivered.
func TestOrderOfARecord(t *testing.T) {
	t.Run("in order", func(t *testing.T) {
		s := start(t, setup{})
		var last uint64
		for i, status := range []string{"Processing", "Success"} {
			s.deliver(delivery{body: deposit("r1", status)}).wants(t, http.StatusOK)
			seq, err := strconv.ParseUint(s.app.wants(t, i+1)[i].header.Get("Ccpayment-Record-Seq"), 10, 64)
			if err != nil || seq <= last {
				t.Errorf("%s has the sequence number %d after %d", status, seq, last)
			}
			last = seq
		}
	})
	t.Run("the first while the second is failing", func(t *testing.T) {
		s := start(t, setup{app: status(http.StatusInternalServerError)})
		s.deliver(delivery{body: deposit("r1", "Success")}).wants(t, http.StatusBadGateway)
		s.deliver(delivery{body: deposit("r1", "Processing")}).wants(t, http.StatusOK)
		s.app.answers(nil)
		s.deliver(delivery{body: deposit("r1", "Success")}).wants(t, http.StatusOK)
		s.app.wants(t, 2)
	})
	t.Run("an unknown status", func(t *testing.T) {
		s := start(t, setup{})
		for i, status := range []string{"Success", "Reviewed"} {
			s.deliver(delivery{body: deposit("r1", status)}).wants(t, http.StatusOK)
			s.app.wants(t, i+1)
		}
	})
	t.Run("the same, flagged as risky", func(t *testing.T) {
		s := start(t, setup{})
		s.deliver(delivery{}).wants(t, http.StatusOK)
		s.deliver(delivery{body: strings.Replace(deposit("r1", "Success"), "false", "true", 1)}).wants(t, http.StatusOK)
		s.app.wants(t, 2)
	})
	t.Run("another record meanwhile", func(t *testing.T) {
		app := newGate()
		s := start(t, setup{app: app.serve})
		first := s.begin(delivery{})
		get(t, app.entered)
		second := s.begin(delivery{body: deposit("r2", "Success")})
		get(t, app.entered)
		app.answer <- http.StatusOK
		app.answer <- http.StatusOK
		get(t, first).wants(t, http.StatusOK)
		get(t, second).wants(t, http.StatusOK)
	})
	t.Run("the second while the first is in flight", func(t *testing.T) {
		app := newGate()
		s := start(t, setup{app: app.serve})
		first := s.begin(delivery{body: deposit("r1", "Processing")})
		get(t, app.entered)
		second := s.begin(delivery{body: deposit("r1", "Success")})
		awaitCopies(t, 1)
		s.app.wants(t, 1)
		app.answer <- http.StatusOK
		get(t, first).wants(t, http.StatusOK)
		get(t, app.entered)
		app.answer <- http.StatusOK
		get(t, second).wants(t, http.StatusOK)
		s.app.wants(t, 2)
	})
}
