// Command shop is the app behind Caddy: it prices carts and lets Caddy send the
// buyers to pay, takes the webhooks that Caddy delivers, and ships and credits
// where Caddy says so. It contains no signature code, and never looks into a
// webhook for money.
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	token, path := os.Getenv("SHOP_TOKEN"), os.Getenv("SHOP_JOURNAL")
	if token == "" || path == "" {
		log.Fatal("set SHOP_TOKEN to the token in the Caddyfile and SHOP_JOURNAL to the file that keeps orders and events")
	}
	j, err := openJournal(path)
	if err != nil {
		log.Fatalf("opening the journal: %v", err)
	}
	work, _ := time.ParseDuration(os.Getenv("SHOP_WORK")) // none unless it is set
	serve(&http.Server{
		Addr:              cmp.Or(os.Getenv("SHOP_LISTEN_APP"), "127.0.0.1:3000"),
		Handler:           newHandler(j, token, work),
		ReadHeaderTimeout: 5 * time.Second,
	})
}

// newHandler is the whole shop: what buyers see, and the hooks for Caddy.
func newHandler(j *journal, token string, work time.Duration) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/hook", "/coins-hook"} { // one for each account of Caddy's
		mux.HandleFunc("POST "+path, receive(j, token, work))
	}
	shop{j}.routes(mux)
	return mux
}

// serve runs until the process gets an interrupt or SIGTERM, then lets requests in flight
// finish.
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
