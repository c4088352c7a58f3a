package main

import (
	"cmp"
	"crypto/subtle"
	"io"
	"log"
	"net/http"
	"strconv"
	"time"
)

// receive responds 200 only once the event is kept. All that makes the webhook
// trustworthy was checked by Caddy; the token says that it came from there.
//
// work is how long an event keeps the shop busy, standing for what a real one
// has to do: in that time copies of the event can arrive at Caddy.
func receive(j *journal, token string, work time.Duration) http.HandlerFunc {
	want := []byte("Bearer " + token)
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "this is not from Caddy", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		<-time.After(work)
		attempt, _ := strconv.Atoi(r.Header.Get("Ccpayment-Attempt"))
		e := event{
			Key:      r.Header.Get("Idempotency-Key"),
			Gateway:  r.Header.Get("Ccpayment-Gateway"),
			Kind:     r.Header.Get("Ccpayment-Kind"),
			Type:     r.Header.Get("Ccpayment-Type"),
			Status:   r.Header.Get("Ccpayment-Status"),
			RecordID: r.Header.Get("Ccpayment-Record-Id"),
			OrderID:  r.Header.Get("Ccpayment-Order-Id"),
			Attempt:  attempt,
			// These two decide about goods and money, and nothing else does.
			Fulfill:     r.Header.Get("Ccpayment-Fulfill") == "true",
			Credit:      r.Header.Get("Ccpayment-Credit") == "true",
			OrderState:  r.Header.Get("Ccpayment-Order-State"),
			Reason:      r.Header.Get("Ccpayment-Reason"),
			Due:         r.Header.Get("Ccpayment-Order-Amount-Due"),
			Paid:        r.Header.Get("Ccpayment-Order-Amount-Paid"),
			Coin:        r.Header.Get("Ccpayment-Coin"),
			Amount:      r.Header.Get("Ccpayment-Amount"),
			ReferenceID: cmp.Or(r.Header.Get("Ccpayment-Reference-Id"), r.Header.Get("Ccpayment-User-Id")),
			Body:        string(body),
		}
		if e.Key == "" {
			http.Error(w, "Idempotency-Key is missing", http.StatusBadRequest)
			return
		}
		done, isNew, err := j.keep(e)
		switch {
		case err != nil:
			// Nothing was acknowledged, so the event comes again.
			log.Fatalf("writing the journal: %v", err)
		case isNew:
			log.Printf("new: %s %s, record %s: %s", e.Type, e.Status, e.RecordID, cmp.Or(done, "nothing to do"))
		default:
			log.Printf("known already: %s: %s", e.Key, cmp.Or(done, "nothing to do"))
		}
	}
}
