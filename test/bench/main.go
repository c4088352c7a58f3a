// Command bench measures what the webhook handler costs: the throughput of
// Caddy with it, as a ratio to plain reverse_proxy in front of the same app,
// measured in turn in one run. Run it from the top of the repository:
//
//	go run ./test/bench --caddy bin/caddy
//
// The app is an HTTP server in this process that reads the body and answers
// 200, so that what is compared shares its cost. Requests are built and signed
// before the clock starts, and every answer is checked: a wrong one ends the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func main() {
	var b bench
	flag.StringVar(&b.caddy, "caddy", "bin/caddy", "the Caddy to measure, with the plugin in it")
	flag.StringVar(&b.ledgerDir, "ledger-dir", "", "a `directory` on the disk to measure (default: that of the Caddy)")
	flag.IntVar(&b.rounds, "rounds", 5, "pairs of measurements of each kind")
	flag.DurationVar(&b.duration, "duration", 4*time.Second, "length of one measurement")
	flag.IntVar(&b.connections, "connections", 64, "connections that deliver at the same time")
	flag.StringVar(&b.only, "only", "", "measure one kind only: fresh, copies, forged, acknowledged, repeated, intercepted, handed, lag or downloads")
	flag.IntVar(&b.full, "full", 0, "also compare acknowledging on a ledger of this many events to an empty one")
	flag.StringVar(&b.profile, "profile", "", "write a CPU profile of Caddy for each kind into this `directory`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	caddy       string
	ledgerDir   string
	rounds      int
	duration    time.Duration
	connections int
	only        string
	profile     string

	full   int
	app    *app
	api    string // the sandbox, for the checkout
	server *server
	rate   float64 // the highest throughput so far, from which the need for requests follows
}

// kind is what is compared to plain.
type kind struct {
	name     string
	aim      float64
	webhooks func(b *bench) (requests, error)
	addr     func(s *server) string
	drain    bool // what was acknowledged must have arrived at the app

	// What it is compared to; by default plain, with the app's answer.
	base       func(s *server) string
	baseAnswer answer
	ratios     []float64
	plain      []figures
	measured   []figures
}

// figures are what one measurement comes to.
type figures struct {
	rate float64 // requests per second that were answered as they should be
	cpu  float64 // microseconds of Caddy's processor time per request
}

// word is the first of the name.
func (k *kind) word() string {
	word, _, _ := strings.Cut(k.name, " ")
	return word
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.rounds < 1 || b.duration <= 0 || b.connections < 1 {
		return errors.New("rounds, duration and connections must be positive")
	}
	if b.ledgerDir == "" {
		b.ledgerDir = filepath.Dir(b.caddy)
	}
	if b.app, err = startApp(); err != nil {
		return err
	}
	defer b.app.Close()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret})
	if err != nil {
		return err
	}
	defer box.Close()
	gateway := httptest.NewServer(box)
	defer gateway.Close()
	b.api = gateway.URL + "/ccpayment/v2"
	if b.server, err = startServer(ctx, b.caddy, b.ledgerDir, b.app.Addr().String(), b.api, 0); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	b.printFacts()

	kinds := []*kind{
		{name: "fresh events, passed through", aim: 0.95, webhooks: (*bench).fresh, addr: passThrough},
		{name: "copies of delivered events", aim: 4, webhooks: (*bench).copies, addr: passThrough},
		{name: "forged deliveries", aim: 4.5, webhooks: (*bench).forged, addr: passThrough},
		{name: "acknowledged while the app is down", aim: 2.5, webhooks: (*bench).fresh, addr: func(s *server) string { return s.down }},
		{
			name: "repeated checkouts, to respond", aim: 0.7, webhooks: (*bench).checkouts, addr: func(s *server) string { return s.checkout },
			base: func(s *server) string { return s.respond }, baseAnswer: answer{"200", respondBody},
		},
		{name: "intercepted answers that pass", aim: 0.97, webhooks: (*bench).pages, addr: func(s *server) string { return s.intercept }},
		{name: "handed over too, stored and forwarded", aim: 0.95, webhooks: (*bench).fresh, addr: func(s *server) string { return s.stored }, drain: true},
	}
	if b.only != "" {
		kinds = slices.DeleteFunc(kinds, func(k *kind) bool { return k.word() != b.only })
		if len(kinds) == 0 && b.only != "lag" && b.only != "downloads" {
			return fmt.Errorf("nothing is called %q: use fresh, copies, forged, acknowledged, repeated, intercepted, handed, lag or downloads", b.only)
		}
	}
	if err := b.warmUp(); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, k := range kinds {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.pair(k); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d, %s: %.0f/s, plain %.0f/s\n",
				round+1, b.rounds, k.name, k.measured[round].rate, k.plain[round].rate)
		}
	}
	printTable(kinds)
	if b.only == "" || b.only == "lag" {
		if err := b.printLags(); err != nil {
			return err
		}
	}
	if b.only == "" || b.only == "downloads" {
		if err := b.printDownloads(); err != nil {
			return err
		}
	}
	if b.full > 0 {
		if err := b.compareFull(ctx); err != nil {
			return err
		}
	}
	if b.profile == "" {
		return nil
	}
	for _, k := range kinds {
		if err := b.writeProfiles(k); err != nil {
			return fmt.Errorf("profiling %s: %w", k.name, err)
		}
	}
	return nil
}

// writeProfiles measures the pair once more, for the profiles.
func (b *bench) writeProfiles(k *kind) error {
	webhooks, err := k.webhooks(b)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		name, addr string
		requests
	}{
		{k.word() + "-plain", b.server.plain, webhooks.want(plainYes)},
		{k.word(), k.addr(b.server), webhooks},
	} {
		written := make(chan error, 1)
		go func() { written <- b.server.profile(filepath.Join(b.profile, m.name+".pprof"), b.duration) }()
		f, err := b.measure(m.addr, m.requests, b.duration)
		if err := errors.Join(err, <-written); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "profiled %s: %.0f requests\n", m.name, f.rate*b.duration.Seconds())
	}
	return nil
}

// warmUp opens the files, fills the caches and learns how many requests a
// measurement takes.
func (b *bench) warmUp() error {
	for range 2 {
		r := b.signed(20_000)
		if _, err := b.measure(b.server.plain, r.want(plainYes), time.Second); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
		if _, err := b.measure(b.server.webhook, r.want(yes), time.Second); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
	}
	return nil
}

// pair measures plain and the kind, one after the other.
func (b *bench) pair(k *kind) error {
	webhooks, err := k.webhooks(b)
	if err != nil {
		return err
	}
	base, want := b.server.plain, plainYes
	if k.base != nil {
		base, want = k.base(b.server), k.baseAnswer
	}
	plain, err := b.measure(base, webhooks.want(want), b.duration)
	if err != nil {
		return fmt.Errorf("plain: %w", err)
	}
	measured, err := b.measureKind(k, webhooks)
	if err != nil {
		return err
	}
	k.plain = append(k.plain, plain)
	k.measured = append(k.measured, measured)
	k.ratios = append(k.ratios, measured.rate/plain.rate)
	return nil
}

func passThrough(s *server) string { return s.webhook }

// measureKind measures what is compared to plain, up to its arrival at the app
// where that is asked for.
func (b *bench) measureKind(k *kind, r requests) (figures, error) {
	arrived, cpu, start := b.app.events.Load(), b.server.cpu(), time.Now()
	f, err := b.measure(k.addr(b.server), r, b.duration)
	if err != nil || !k.drain {
		return f, err
	}
	sent := int64(f.rate*b.duration.Seconds() + 0.5)
	for b.app.events.Load()-arrived < sent {
		if time.Since(start) > b.duration+time.Minute {
			return f, fmt.Errorf("%d of %d events arrived", b.app.events.Load()-arrived, sent)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(start)
	return figures{
		rate: float64(sent) / took.Seconds(),
		cpu:  float64((b.server.cpu() - cpu).Microseconds()) / float64(sent),
	}, nil
}

// printLags prints how long events take from their sending to the app.
func (b *bench) printLags() error {
	fmt.Println("\n| events per second, sent to app | p50 | p95 | p99 | aim for p95 |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: |")
	for perSecond, aim := range map[int]string{200: "2 ms", 1000: "5 ms"} {
		lags, err := b.lag(perSecond, 2*b.duration)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %s | %s | %s | %s |\n", perSecond,
			percentile(lags, 0.5).Round(10*time.Microsecond), percentile(lags, 0.95).Round(10*time.Microsecond),
			percentile(lags, 0.99).Round(10*time.Microsecond), aim)
	}
	return nil
}

// compareFull compares acknowledging on a ledger that has many events to an
// empty one, in turn.
func (b *bench) compareFull(ctx context.Context) error {
	full, err := startServer(ctx, b.caddy, b.ledgerDir, b.app.Addr().String(), b.api, b.full)
	if err != nil {
		return err
	}
	defer func() { _ = full.stop() }()
	before := full.anonymous() - b.server.anonymous()
	var ratios []float64
	for range b.rounds {
		r, err := b.fresh()
		if err != nil {
			return err
		}
		empty, err := b.measure(b.server.down, r, b.duration)
		if err != nil {
			return err
		}
		if r, err = b.fresh(); err != nil {
			return err
		}
		filled, err := b.measure(full.down, r, b.duration)
		if err != nil {
			return err
		}
		ratios = append(ratios, filled.rate/empty.rate)
	}
	fmt.Printf("\nWith %d events in the ledger: acknowledgements %.2f (%.2f to %.2f) of those on an empty one, aim 0.90; "+
		"anonymous memory %+d MiB at the start, %+d MiB after the load, aim 64\n",
		b.full, median(ratios), slices.Min(ratios), slices.Max(ratios), before>>20, (full.anonymous()-b.server.anonymous())>>20)
	return nil
}

func (b *bench) measure(addr string, r requests, duration time.Duration) (figures, error) {
	before := b.server.cpu()
	answered, elapsed, err := load(addr, r, b.connections, duration)
	if err != nil {
		return figures{}, err
	}
	f := figures{
		rate: float64(answered) / elapsed.Seconds(),
		cpu:  float64((b.server.cpu() - before).Microseconds()) / float64(answered),
	}
	b.rate = max(b.rate, f.rate)
	return f, nil
}

// fresh returns events that nobody has seen: more than one measurement takes.
func (b *bench) fresh() (requests, error) {
	const spare = 1.5
	return b.signed(int(b.rate * b.duration.Seconds() * spare)), nil
}

const repeated = 5000

// copies delivers events and returns the same requests again.
func (b *bench) copies() (requests, error) {
	r := b.signed(repeated)
	if _, _, err := load(b.server.webhook, r, b.connections, time.Minute); err != nil {
		return r, fmt.Errorf("delivering the originals: %w", err)
	}
	r.endless = true
	return r, nil
}

func (b *bench) forged() (requests, error) {
	return requests{bytes: build(repeated, "a guess"), answer: no, endless: true}, nil
}

// checkouts ask for a checkout that is there.
func (b *bench) checkouts() (requests, error) {
	var body string
	for range 2 { // the first makes it
		response, err := http.Post("http://"+b.server.checkout+"/buy", "", nil)
		if err != nil {
			return requests{}, err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return requests{}, err
		}
		body = string(text)
	}
	return requests{bytes: plainRequests("POST /buy"), answer: answer{"200", body}, endless: true}, nil
}

// pages ask for what the app answers without a checkout.
func (b *bench) pages() (requests, error) {
	return requests{bytes: plainRequests("GET /page"), answer: plainYes, endless: true}, nil
}

func plainRequests(line string) [][]byte {
	return [][]byte{[]byte(line + " HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n")}
}

// printDownloads compares downloads through intercept to plain ones, in turn.
func (b *bench) printDownloads() error {
	var ratios []float64
	for range b.rounds {
		var took [2]time.Duration
		for i, addr := range []string{b.server.plain, b.server.intercept} {
			start := time.Now()
			for range 5 {
				response, err := http.Get("http://" + addr + "/big")
				if err != nil {
					return err
				}
				n, err := io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || n != bigSize {
					return fmt.Errorf("a download ended after %d bytes: %w", n, err)
				}
			}
			took[i] = time.Since(start)
		}
		ratios = append(ratios, float64(took[0])/float64(took[1]))
	}
	fmt.Printf("\nDownloads of 100 MiB through intercept: %.2f (%.2f to %.2f) of plain, aim 0.97\n",
		median(ratios), slices.Min(ratios), slices.Max(ratios))
	return nil
}

func (b *bench) signed(n int) requests {
	return requests{bytes: build(n, appSecret), answer: yes}
}

func printTable(kinds []*kind) {
	fmt.Println("\n| | requests/s | plain reverse_proxy | ratio, median | min | max | aim | CPU per request | plain |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, k := range kinds {
		fmt.Printf("| %s | %.0f | %.0f | **%.2f** | %.2f | %.2f | %.2f | %.0f µs | %.0f µs |\n",
			k.name, median(rates(k.measured)), median(rates(k.plain)),
			median(k.ratios), slices.Min(k.ratios), slices.Max(k.ratios), k.aim,
			median(cpus(k.measured)), median(cpus(k.plain)))
	}
}

func rates(all []figures) (rates []float64) {
	for _, f := range all {
		rates = append(rates, f.rate)
	}
	return rates
}

func cpus(all []figures) (cpus []float64) {
	for _, f := range all {
		cpus = append(cpus, f.cpu)
	}
	return cpus
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
