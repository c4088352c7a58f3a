package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

// onDatabase names the part that measures a ledger in PostgreSQL.
const onDatabase = "database"

// database is what a ledger in PostgreSQL comes to, beside one in a file.
type database struct {
	facts [][2]string
	// acknowledged are acknowledgements per second while the app is down, measured in
	// turn.
	acknowledged []acknowledged
	paces        []pacedTarget
}

// acknowledged is how many a second some Caddys acknowledge.
type acknowledged struct {
	*target
	measured []figures
	ratios   []float64 // to the first's, in turn
}

// sharing is how many Caddys share a ledger where several do.
const sharing = 3

// database measures a ledger in PostgreSQL: one Caddy, and several, beside one whose
// ledger is a file. Where there is no PostgreSQL, that is said and the run goes on.
func (b *bench) database(ctx context.Context) (d *database, err error) {
	d = &database{facts: b.databaseFacts()}
	postgres, err := postgrestest.Open()
	if err != nil {
		b.miss(err)
		return nil, nil //nolint:nilnil // it is noted as missing
	}
	defer postgres.Close()
	var servers []*server
	start := func(url string) (*server, error) {
		s, err := b.startServer(ctx, b.caddy, "", url)
		if err == nil {
			servers = append(servers, s)
		}
		return s, err
	}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
	}()
	file, err := start("")
	if err != nil {
		return nil, err
	}
	one, err := start(postgres.URL())
	if err != nil {
		return nil, err
	}
	shared := func(name, addr string) *target {
		t := one.target(name, addr)
		t.processes = append(t.processes, postgres.PID())
		return t
	}
	for _, t := range []*target{file.target("a file", file.stored), shared("PostgreSQL", one.stored)} {
		if _, err := b.pace(t, 1000, warmingUp); err != nil {
			return nil, fmt.Errorf("warming up %s: %w", t.name, err)
		}
		d.paces = append(d.paces, pacedTarget{target: t})
	}
	for i := range d.paces {
		for _, perSecond := range paceRates {
			p, err := b.pace(d.paces[i].target, perSecond, 4*b.duration)
			if err != nil {
				return nil, fmt.Errorf("%s at %d/s: %w", d.paces[i].name, perSecond, err)
			}
			d.paces[i].paces = append(d.paces[i].paces, p)
			fmt.Fprintf(os.Stderr, "%s at %d/s: p95 %s\n", d.paces[i].name, perSecond, percentile(p.answers, 0.95))
		}
	}
	several := shared(fmt.Sprintf("%d Caddys on one PostgreSQL", sharing), one.down)
	for range sharing - 1 {
		s, err := start(postgres.URL())
		if err != nil {
			return nil, err
		}
		several.more, several.processes = append(several.more, s.down), append(several.processes, s.cmd.Process.Pid)
	}
	d.acknowledged = []acknowledged{
		{target: file.target("one Caddy, its ledger in a file", file.down)}, {target: shared("one Caddy on PostgreSQL", one.down)}, {target: several},
	}
	return d, b.acknowledgeInTurn(ctx, d.acknowledged)
}

// acknowledgeInTurn measures all in turn, round by round, and compares them to the first.
func (b *bench) acknowledgeInTurn(ctx context.Context, all []acknowledged) error {
	for range b.rounds {
		var first float64
		for i := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			f, err := b.acknowledge(all[i].target)
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			if i == 0 {
				first = f.rate
			}
			all[i].measured, all[i].ratios = append(all[i].measured, f), append(all[i].ratios, f.rate/first)
			fmt.Fprintf(os.Stderr, "%s: %.0f/s\n", all[i].name, f.rate)
		}
	}
	return nil
}

func (b *bench) databaseFacts() [][2]string {
	busy := unknown
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy, _, _ = strings.Cut(string(text), " ")
	}
	return [][2]string{
		{"Date", time.Now().UTC().Format(time.DateOnly)},
		{"CPU", fmt.Sprintf("%s, %d cores, shared by load, app, Caddys and PostgreSQL; load average %s when it began", cpuModel(), runtime.NumCPU(), busy)},
		{"Go, Caddy", fmt.Sprintf("%s; %s", runtime.Version(), caddyVersion(b.caddy))},
		{"PostgreSQL", fmt.Sprintf("%s on %s, on the same machine, with shared_buffers of 32 MB; every commit is synced", postgrestest.Version(), fileSystem(os.TempDir()))},
		{"Load", fmt.Sprintf("%d connections, %d rounds of %s", b.connections, b.rounds, b.duration)},
	}
}

// mostAcknowledging is the aim for p95 of an acknowledgement at the lowest rate.
const mostAcknowledging = 10 * time.Millisecond

func (p *page) databaseTables() {
	d := p.database
	p.printf("### On PostgreSQL\n\n| | |\n| --- | --- |\n")
	for _, fact := range d.facts {
		p.printf("| %s | %s |\n", fact[0], fact[1])
	}
	p.printf("\n| acknowledged while the app is down | events/s | of a file's, in turn | CPU per event |\n| --- | ---: | ---: | ---: |\n")
	for _, a := range d.acknowledged {
		p.printf("| %s | %s | **%.2f** (%.2f to %.2f) | %s µs |\n", a.name, plot.Thousands(median(rates(a.measured))), median(a.ratios), slices.Min(a.ratios), slices.Max(a.ratios),
			plot.Thousands(median(cpus(a.measured))))
	}
	p.printf("\n| stored and forwarded, at a fixed rate | p50 | p95 | p99 | p99.9 | CPU per 1,000 |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, perSecond := range paceRates {
		for _, t := range d.paces {
			one, ok := t.at(perSecond)
			if !ok {
				continue
			}
			p.printf("| %s a second, %s | %s | %.2f s |\n", plot.Thousands(float64(perSecond)), t.name, percentiles(one.answers, one.behind()), one.cpu.Seconds()/float64(one.answered)*1000)
			p.printf("| – until the app has it | %s | |\n", percentiles(one.arrivals, one.behind()))
		}
	}
	if one, ok := d.paces[len(d.paces)-1].at(paceRates[0]); ok {
		got, met := percentile(one.answers, 0.95), "met"
		if got > mostAcknowledging {
			met = "**not met**"
		}
		p.printf("\nAim: at %d events a second, 95 of 100 acknowledged within %s. It is %s, with %s.\n", paceRates[0], mostAcknowledging, met, milliseconds(got))
	}
	p.storesTable()
	p.stepsTable()
}

// The benchmarks of store/postgres, which run on both stores, and how each store is named
// in them.
const (
	inFile, inPostgres = "bolt", "postgres"
	stepsBenchmark     = "Steps"
)

// isOfStores reports whether a benchmark compares the stores.
func isOfStores(name string) bool {
	return strings.HasSuffix(name, "/"+inFile) || strings.HasSuffix(name, "/"+inPostgres) || name == "Take" || name == "Prune"
}

// figure returns a figure of a benchmark, by its unit.
func (p *page) figure(name, unit string) (float64, bool) {
	for _, one := range p.inProcess {
		for _, figure := range one.figures {
			value, its, _ := strings.Cut(figure, " ")
			if one.name == name && its == unit {
				f, err := strconv.ParseFloat(value, 64)
				return f, err == nil
			}
		}
	}
	return 0, false
}

// storesTable compares what the stores do at most.
func (p *page) storesTable() {
	title := "\n| in the process, 64 at once | a file | PostgreSQL | ratio |\n| --- | ---: | ---: | ---: |\n"
	for _, row := range []struct{ name, unit, what string }{
		{"Accept", "steps/s", "events accepted"}, {"Deliver", "events/s", "events accepted, claimed and delivered"},
	} {
		file, ok := p.figure(row.name+"/"+inFile, row.unit)
		postgres, ok2 := p.figure(row.name+"/"+inPostgres, row.unit)
		if ok && ok2 {
			p.printf("%s| %s | %s/s | %s/s | **%.2f** |\n", title, row.what, plot.Thousands(file), plot.Thousands(postgres), postgres/file)
			title = ""
		}
	}
	if pruned, ok := p.figure("Prune", "bodies/s"); ok {
		wal, _ := p.figure("Prune", "WAL-B/op")
		p.printf("\nOf bodies that have outlived `retention`, PostgreSQL deletes %s a second, with %s bytes of WAL each.\n", plot.Thousands(pruned), plot.Thousands(wal))
	}
}

// stepsTable says what each step of a ledger costs.
func (p *page) stepsTable() {
	title := "\n| a step, with nothing beside it | round trips | statements | PostgreSQL | a file | times as long |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
	for _, row := range [][2]string{
		{"accept", "accept a new event"},
		{"copy", "accept a copy"},
		{"claim", "claim a record"},
		{"bind", "bind a flag, and begin an attempt"},
		{"commit", "commit an outcome"},
		{"order", "commit an outcome with its order"},
		{"load", "load an event"},
		{"take", "take 100 of 500 due events"},
	} {
		file, ok := p.figure(stepsBenchmark+"/"+inFile, "µs/"+row[0])
		postgres, ok2 := p.figure(stepsBenchmark+"/"+inPostgres, "µs/"+row[0])
		trips, _ := p.figure(stepsBenchmark+"/"+inPostgres, "trips/"+row[0])
		statements, _ := p.figure(stepsBenchmark+"/"+inPostgres, "statements/"+row[0])
		if ok && ok2 {
			p.printf("%s| %s | %.2f | %.2f | %s | %s | %.1f |\n", title, row[1], trips, statements, microseconds(postgres), microseconds(file), postgres/file)
			title = ""
		}
	}
}

func microseconds(f float64) string {
	if f < 100 {
		return fmt.Sprintf("%.3g µs", f)
	}
	return plot.Thousands(f) + " µs"
}
