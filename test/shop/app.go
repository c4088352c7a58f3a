package shop

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/history"
)

// The environment of the app, which is this test once more: its file, its
// address, and which run of it this is.
const (
	inboxVariable   = "CRASH_INBOX"
	addressVariable = "CRASH_ADDRESS"
	runVariable     = "CRASH_RUN"
	// StallVariable makes the app record what comes, and not respond.
	StallVariable = "CRASH_STALL"
	// RefusesVariable makes the app respond 500, whether it has applied an event or not.
	RefusesVariable = "CRASH_REFUSES"
	// TakesVariable is how long the app takes over each event. Default: up to 10 ms.
	TakesVariable = "CRASH_TAKES"
)

// runHeader is a header of requests and responses: the run of Caddy that they come from.
const runHeader = "X-Run"

// slowest is how long the app takes over an event at most, so that a kill finds
// many on their way.
const slowest = 10 * time.Millisecond

// line is one line of the app's file: an attempt that came, or what was done
// with the attempt of that number.
type line struct {
	N       int              `json:"n"`
	Attempt *history.Attempt `json:"attempt,omitempty"`
	// Applied is the event's id.
	Applied string `json:"applied,omitempty"`
	Yes     bool   `json:"yes,omitempty"`
	No      bool   `json:"no,omitempty"`
	// At is when the app said yes or no.
	At time.Time `json:"at,omitzero"`
}

// app is an app with an inbox: a file to which it only adds.
type app struct {
	run   int
	takes time.Duration // 0: any time up to slowest

	mu      sync.Mutex
	file    *os.File
	n       int
	applied map[string]bool
}

// runApp is the app as a process of its own. It ends when it is killed.
func runApp(name string) error {
	lines, err := readLines(name)
	if err != nil {
		return err
	}
	run, err := strconv.Atoi(os.Getenv(runVariable))
	if err != nil {
		return err
	}
	takes, err := time.ParseDuration(cmp.Or(os.Getenv(TakesVariable), "0s"))
	if err != nil {
		return err
	}
	a := &app{run: run, takes: takes, n: len(lines), applied: make(map[string]bool)}
	for _, l := range lines {
		if l.Applied != "" {
			a.applied[l.Applied] = true
		}
	}
	if a.file, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	server := &http.Server{Addr: os.Getenv(addressVariable), Handler: a, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = a.take(r.Header, body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// take applies an event as apps should: once for each key, and durably before the
// response.
func (a *app) take(header http.Header, body []byte) error {
	attempt := history.Attempt{
		At: time.Now(), App: a.run, EventID: header.Get("Idempotency-Key"), Record: header.Get("Ccpayment-Record-Id"),
		Status: header.Get("Ccpayment-Status"), Order: header.Get("Ccpayment-Order-Id"), Digest: digest(body),
		Reason: header.Get("Ccpayment-Attempt-Reason"), Fulfill: header.Get("Ccpayment-Fulfill") == "true",
	}
	var errs [3]error
	attempt.Caddy, errs[0] = strconv.Atoi(header.Get(runHeader))
	attempt.Number, errs[1] = strconv.Atoi(header.Get("Ccpayment-Attempt"))
	attempt.Seq, errs[2] = strconv.ParseUint(header.Get("Ccpayment-Record-Seq"), 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	n, err := a.add(line{Attempt: &attempt})
	if err != nil {
		return err
	}
	if os.Getenv(StallVariable) != "" {
		select {}
	}
	<-time.After(cmp.Or(a.takes, rand.N(slowest)))
	refuses := os.Getenv(RefusesVariable) != ""
	if refuses && rand.IntN(2) == 0 {
		return a.refuse(n)
	}
	a.mu.Lock()
	isNew := !a.applied[attempt.EventID]
	a.applied[attempt.EventID] = true
	a.mu.Unlock()
	if isNew {
		if _, err := a.add(line{N: n, Applied: attempt.EventID}); err != nil {
			return err
		}
	}
	if err := a.file.Sync(); err != nil {
		return err
	}
	if refuses {
		return a.refuse(n)
	}
	_, err = a.add(line{N: n, Yes: true, At: time.Now()})
	return err
}

// refuse writes down that the attempt gets a no, which is the error.
func (a *app) refuse(n int) error {
	_, err := a.add(line{N: n, No: true, At: time.Now()})
	return errors.Join(errors.New("the app refuses"), err)
}

// add writes a line in one step, which a kill cannot cut in two. An attempt
// gets its number by it.
func (a *app) add(l line) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n++; l.Attempt != nil {
		l.N = a.n
	}
	text, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	_, err = a.file.Write(append(text, '\n'))
	return l.N, err
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

func readLines(name string) ([]line, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []line
	for decoder := json.NewDecoder(file); ; {
		var l line
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s after %d lines: %w", name, len(lines), err)
		}
		lines = append(lines, l)
	}
}

// ReadApp reads what the app has written down.
func ReadApp(name string) (attempts []history.Attempt, applied []string, err error) {
	lines, err := readLines(name)
	places := make(map[int]int)
	for _, l := range lines {
		switch {
		case l.Attempt != nil:
			places[l.N] = len(attempts)
			attempts = append(attempts, *l.Attempt)
		case l.Applied != "":
			applied = append(applied, l.Applied)
		case l.Yes, l.No:
			a := &attempts[places[l.N]]
			a.Yes, a.No, a.Answered = l.Yes, l.No, l.At
		}
	}
	return attempts, applied, err
}
