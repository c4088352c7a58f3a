// Command bench measures what the webhook handler costs, beside plain
// reverse_proxy in front of the same app and beside what people use instead,
// in one run. Run it from the top of the repository:
//
//	go build -o bin/bench-caddy ./test/bench/caddy
//	go run ./test/bench --caddy bin/bench-caddy
//
// The app is an HTTP server in this process that reads the body and responds
// 200, so that what is compared shares its cost. Requests are built and signed
// before the clock starts, and every response is checked: a wrong one ends the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
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
	var quick bool
	flag.StringVar(&b.caddy, "caddy", "bin/bench-caddy", "the Caddy to measure, built of test/bench/caddy")
	flag.StringVar(&b.before, "before", "", "an earlier `Caddy` that is measured in turn with it")
	flag.StringVar(&b.ledgerDir, "ledger-dir", "", "a `directory` on the disk to measure (default: that of the Caddy)")
	flag.StringVar(&b.peers, "peers", "examples/peers", "the `directory` of what people use instead")
	flag.StringVar(&b.inProcess, "in-process", "", "a `file` of what go test -bench printed, for its table")
	flag.StringVar(&b.docs, "docs", "", "write the tables into benchmarks.md in this `directory`, and the plots beside it")
	flag.IntVar(&b.rounds, "rounds", 5, "pairs of measurements of each kind")
	flag.DurationVar(&b.duration, "duration", 2500*time.Millisecond, "length of one measurement")
	flag.IntVar(&b.connections, "connections", 64, "connections that deliver at the same time")
	flag.IntVar(&b.events, "events", 1_000_000, "the largest ledger")
	flag.StringVar(&b.only, "only", "", "measure one part only: "+strings.Join(parts, ", ")+", or the first word of a kind of throughput")
	flag.StringVar(&b.profile, "profile", "", "write a CPU profile of Caddy for each kind into this `directory`")
	flag.BoolVar(&quick, "quick", false, "one short round of all, on ledgers of up to 10,000 events: to see that it runs")
	flag.Parse()
	if quick {
		b.rounds, b.duration, b.events = 1, time.Second, 10_000
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// warmingUp is long enough for Node to compile what is called often.
const warmingUp = 2 * time.Second

// parts are what can be measured alone.
var parts = []string{"throughput", "downloads", "pace", "ledger", onDatabase}

type bench struct {
	caddy       string
	before      string
	ledgerDir   string
	peers       string
	inProcess   string
	docs        string
	rounds      int
	duration    time.Duration
	connections int
	events      int
	only        string
	profile     string

	app     *app
	api     string // the sandbox, for the checkout
	server  *server
	former  *server  // the Caddy of before; nil: there is none
	missing []string // peers that could not be measured, and why
	rate    float64  // the highest throughput so far, from which the need for requests follows
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.rounds < 1 || b.duration < time.Second || b.connections < 1 || b.events < 1 {
		return errors.New("there must be a round, a second, a connection and an event")
	}
	if b.docs != "" && b.only != "" && b.only != onDatabase {
		return errors.New("the page is made by a whole run: without --only, or with --only " + onDatabase + ", which has a part of its own")
	}
	if b.ledgerDir == "" {
		b.ledgerDir = filepath.Dir(b.caddy)
	}
	for _, path := range []*string{&b.caddy, &b.before, &b.ledgerDir, &b.peers} { // the processes work elsewhere
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath(b.caddy); err != nil {
		return fmt.Errorf("%w: build it with `make bin/bench-caddy`, or name another with --caddy", err)
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
	if b.server, err = b.startServer(ctx, b.caddy, "", ""); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	if b.before != "" {
		if b.former, err = b.startServer(ctx, b.before, "", ""); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.former.stop()) }()
	}

	begun := time.Now()
	if err := b.warmUp(); err != nil {
		return err
	}
	var p page
	if err := b.fillPage(ctx, &p); err != nil {
		return err
	}
	if b.only != onDatabase {
		p.facts = append(b.facts(), [2]string{"The run took", time.Since(begun).Round(time.Second).String()})
	}
	p.missing = b.missing
	if b.profile != "" {
		for _, k := range p.kinds {
			if err := b.writeProfiles(k); err != nil {
				return fmt.Errorf("profiling %s: %w", k.name, err)
			}
		}
	}
	return p.write(os.Stdout, b.docs)
}

// fillPage measures what is asked for.
func (b *bench) fillPage(ctx context.Context, p *page) (err error) {
	if b.inProcess != "" {
		if p.inProcess, err = readInProcess(b.inProcess); err != nil {
			return err
		}
	}
	one := b.only
	if !slices.Contains(parts, one) {
		one = "" // a kind of throughput
	}
	asked := func(part string) bool { return b.only == "" || b.only == part }
	if one == "" || one == "throughput" {
		if p.kinds, err = b.throughput(ctx); err != nil {
			return err
		}
	}
	if asked("downloads") {
		if p.downloads, err = b.downloads(); err != nil {
			return err
		}
	}
	if asked("pace") {
		if p.paces, err = b.paces(ctx); err != nil {
			return err
		}
	}
	if asked("ledger") {
		if p.grown, err = b.grow(ctx); err != nil {
			return err
		}
	}
	if asked(onDatabase) {
		if p.database, err = b.database(ctx); err != nil {
			return err
		}
	}
	return nil
}

// throughput compares the kinds that are asked for to plain, and the peers too.
func (b *bench) throughput(ctx context.Context) ([]*kind, error) {
	running, err := b.startPeers(ctx)
	defer stopAll(running)
	if err != nil {
		return nil, err
	}
	kinds := b.kinds()
	for _, r := range running {
		kinds = append(kinds, &kind{name: r.name, webhooks: (*bench).fresh, to: r.target})
	}
	if b.only != "" && b.only != "throughput" {
		var words []string
		for _, k := range kinds {
			words = append(words, k.word())
		}
		kinds = slices.DeleteFunc(kinds, func(k *kind) bool { return k.word() != b.only })
		if len(kinds) == 0 {
			return nil, fmt.Errorf("--only %s: it is one of %s, %s", b.only, strings.Join(parts, ", "), strings.Join(words, ", "))
		}
	}
	return kinds, b.compare(ctx, kinds)
}

// paces measures everyone at fixed rates, each in processes of their own, so
// that the memory is theirs.
func (b *bench) paces(ctx context.Context) (all []pacedTarget, err error) {
	running, err := b.startPeers(ctx)
	defer stopAll(running)
	if err != nil {
		return nil, err
	}
	type site struct {
		name   string
		binary string
		addr   func(*server) string
	}
	webhook, stored := func(s *server) string { return s.webhook }, func(s *server) string { return s.stored }
	sites := []site{
		{plainName, b.caddy, func(s *server) string { return s.plain }},
		{"ours, pass-through", b.caddy, webhook},
		{storedName, b.caddy, stored},
	}
	if b.before != "" {
		sites = append(sites, site{"before, pass-through", b.before, webhook}, site{"before, store-and-forward", b.before, stored})
	}
	for _, site := range sites {
		s, err := b.startServer(ctx, site.binary, "", "")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		all = append(all, pacedTarget{target: s.target(site.name, site.addr(s))})
	}
	for i := range all {
		if _, err := b.pace(all[i].target, 1000, warmingUp); err != nil {
			return nil, fmt.Errorf("warming up %s: %w", all[i].name, err)
		}
	}
	for _, r := range running {
		all = append(all, pacedTarget{target: r.target})
	}
	for _, perSecond := range paceRates {
		for i := range all {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p, err := b.pace(all[i].target, perSecond, 4*b.duration)
			if err != nil {
				err = fmt.Errorf("%s at %d/s: %w", all[i].name, perSecond, err)
			}
			if err != nil && all[i].peer {
				b.miss(err)
				continue
			}
			if err != nil {
				return nil, err
			}
			all[i].paces = append(all[i].paces, p)
			fmt.Fprintf(os.Stderr, "%s at %d/s: p50 %s, p99 %s, %d of %d answered\n", all[i].name, perSecond,
				percentile(p.answers, 0.5), percentile(p.answers, 0.99), p.answered, p.sent)
		}
	}
	return all, nil
}
