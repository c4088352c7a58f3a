// Command receive takes each CCPayment event once. One file per event is inbox and effect in one:
// it appears whole, under the event's key, or not at all. The file is the request: a worker of yours
// ships where it says Ccpayment-Fulfill: true and the order was not shipped yet, credits where it says
// Ccpayment-Credit: true and the record was not credited yet, and lets nothing else decide about goods or money.
package main

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	token := os.Getenv("SHOP_TOKEN")
	// Not made here: a new folder in the wrong place would forget every event.
	inbox, err := os.Open(cmp.Or(os.Getenv("INBOX"), "inbox"))
	if token == "" || err != nil {
		log.Fatal("SHOP_TOKEN is empty or INBOX cannot be opened: ", err)
	}
	http.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
		key, auth, temp := r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), inbox.Name()+"/."+rand.Text()
		if len(key) != 36 || filepath.Base(key) != key || subtle.ConstantTimeCompare([]byte(auth), []byte("Bearer "+token)) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for _, flag := range []string{"fulfill", "credit"} {
			if r.Header.Get("Ccpayment-"+flag) == "true" {
				key += "." + flag // a file of its own, for a repeat may be the first to say so
			}
		}
		r.Header.Del("Authorization") // the token is not stored
		file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		defer os.Remove(temp)
		if err = errors.Join(err, r.Write(file), file.Sync(), file.Close()); err == nil {
			err = os.Link(temp, inbox.Name()+"/"+key+".http") // never overwrites: a repeat changes nothing
		}
		// The name must be durable too. A repeat may overtake the first, so it syncs as well.
		if syncErr := inbox.Sync(); syncErr != nil || (err != nil && !errors.Is(err, fs.ErrExist)) {
			log.Print(err, syncErr)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "3000"), nil))
}
