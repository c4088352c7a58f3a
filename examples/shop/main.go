// Command shop is the app behind Caddy: it takes the webhooks that Caddy hands
// over, ships and credits where Caddy says so, and shows what it has seen. It
// contains no signature code, and never looks into a webhook for money.
package main

import (
	"cmp"
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

func main() {
	token, path := os.Getenv("SHOP_TOKEN"), os.Getenv("SHOP_INBOX")
	if token == "" || path == "" {
		log.Fatal("set SHOP_TOKEN to the token in the Caddyfile and SHOP_INBOX to the file that keeps the inbox")
	}
	box, err := openInbox(path)
	if err != nil {
		log.Fatalf("opening the inbox: %v", err)
	}
	mux := http.NewServeMux()
	work, _ := time.ParseDuration(os.Getenv("SHOP_WORK")) // none unless it is set
	mux.HandleFunc("POST /hook", receive(box, token, work))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_ = page.Execute(w, box.seen())
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(box.seen())
	})
	serve(&http.Server{
		Addr:              cmp.Or(os.Getenv("SHOP_LISTEN_APP"), "127.0.0.1:3000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
	})
}

// receive answers 200 only once the event is kept. All that makes the webhook
// trustworthy was checked by Caddy; the token says that it came from there.
//
// work is how long an event keeps the shop busy, standing for what a real one
// has to do: in that time copies of the event can arrive at Caddy.
func receive(box *inbox, token string, work time.Duration) http.HandlerFunc {
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
			Type:     r.Header.Get("Ccpayment-Type"),
			Status:   r.Header.Get("Ccpayment-Status"),
			RecordID: r.Header.Get("Ccpayment-Record-Id"),
			OrderID:  r.Header.Get("Ccpayment-Order-Id"),
			Attempt:  attempt,
			// These two decide about goods and money, and nothing else does.
			Fulfill:     r.Header.Get("Ccpayment-Fulfill") == "true",
			Credit:      r.Header.Get("Ccpayment-Credit") == "true",
			OrderState:  r.Header.Get("Ccpayment-Order-State"),
			Coin:        r.Header.Get("Ccpayment-Coin"),
			Amount:      r.Header.Get("Ccpayment-Amount"),
			ReferenceID: cmp.Or(r.Header.Get("Ccpayment-Reference-Id"), r.Header.Get("Ccpayment-User-Id")),
			Body:        string(body),
		}
		if e.Key == "" {
			http.Error(w, "Idempotency-Key is missing", http.StatusBadRequest)
			return
		}
		if done, isNew := box.keep(e); isNew {
			log.Printf("new: %s %s, record %s: %s", e.Type, e.Status, e.RecordID, cmp.Or(done, "nothing to do"))
		} else {
			log.Printf("known already, nothing to do: %s", e.Key)
		}
	}
}

// serve runs until the process is told to stop, then lets requests that are
// still running finish.
func serve(server *http.Server) {
	told, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		<-told.Done()
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			log.Printf("requests were cut off: %v", err)
		}
	}()
	log.Printf("the shop listens on http://%s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-finished
}
