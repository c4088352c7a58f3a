package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

// page is what a run comes to: the part of docs/benchmarks.md between its
// marks, and the plots.
type page struct {
	facts     [][2]string
	missing   []string
	kinds     []*kind
	downloads []float64 // ratios to plain
	paces     []pacedTarget
	grown     []grown
	inProcess []inProcess
	database  *database // nil: it was not measured
	text      bytes.Buffer
}

// pacedTarget is one target at all the rates.
type pacedTarget struct {
	*target
	paces []paced
}

// at returns what was measured at a rate; not all bear all.
func (t pacedTarget) at(perSecond int) (paced, bool) {
	for _, one := range t.paces {
		if one.perSecond == perSecond {
			return one, true
		}
	}
	return paced{}, false
}

var paceRates = []int{200, 1000, 2000}

const (
	plainName  = "plain reverse_proxy"
	storedName = "ours, store-and-forward"
	beginMark  = "<!-- made by make bench: begin -->\n"
	endMark    = "<!-- made by make bench: end -->\n"
	// The part about PostgreSQL is made by a run of it alone, too.
	databaseBeginMark = "<!-- made by make bench: begin, PostgreSQL -->\n"
	databaseEndMark   = "<!-- made by make bench: end, PostgreSQL -->\n"
)

func (p *page) printf(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// section is a part of the page between two marks.
type section struct {
	begin, end string
	text       []byte
}

// sections are those that were measured.
func (p *page) sections() (all []section) {
	if len(p.facts) > 0 {
		p.tables()
		all = append(all, section{beginMark, endMark, bytes.Clone(p.text.Bytes())})
		p.text.Reset()
	}
	if p.database != nil {
		p.databaseTables()
		all = append(all, section{databaseBeginMark, databaseEndMark, p.text.Bytes()})
	}
	return all
}

// write prints the tables, and writes them and the plots where a directory is
// named.
func (p *page) write(out io.Writer, dir string) error {
	sections := p.sections()
	for _, s := range sections {
		if _, err := out.Write(s.text); err != nil {
			return err
		}
	}
	if dir == "" {
		return nil
	}
	file := filepath.Join(dir, "benchmarks.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, s := range sections {
		before, rest, ok := bytes.Cut(text, []byte(s.begin))
		_, after, ok2 := bytes.Cut(rest, []byte(s.end))
		if !ok || !ok2 {
			return fmt.Errorf("%s lacks the marks of the part that is made", file)
		}
		text = slices.Concat(before, []byte(s.begin), s.text, []byte(s.end), after)
	}
	for name, plot := range p.plots() {
		if err := os.WriteFile(filepath.Join(dir, name), plot, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(file, text, 0o644)
}

func (p *page) tables() {
	p.printf("## The latest run\n\n| | |\n| --- | --- |\n")
	for _, fact := range p.facts {
		p.printf("| %s | %s |\n", fact[0], fact[1])
	}
	for _, missing := range p.missing {
		p.printf("\n**Not measured:** %s\n", missing)
	}
	p.aimTable()
	if len(p.kinds) > 0 {
		p.throughputTable()
	}
	if len(p.paces) > 0 {
		p.paceTables()
	}
	if len(p.grown) > 0 {
		p.grownTable()
	}
	if len(p.inProcess) > 0 {
		p.inProcessTable()
	}
	p.printf("\n")
}

func (p *page) throughputTable() {
	p.printf("\n### As much as it can\n\n![Requests a second](bench-throughput.svg)\n\n")
	p.printf("| | requests/s | plain | ratio, median | min | max | CPU per request | plain |\n")
	p.printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, k := range p.kinds {
		if len(k.ratios) == 0 {
			continue
		}
		p.printf("| %s | %s | %s | **%.2f** | %.2f | %.2f | %s µs | %s µs |\n",
			k.name, plot.Thousands(median(rates(k.measured))), plot.Thousands(median(rates(k.plain))),
			median(k.ratios), slices.Min(k.ratios), slices.Max(k.ratios),
			plot.Thousands(median(cpus(k.measured))), plot.Thousands(median(cpus(k.plain))))
	}
	if len(p.downloads) > 0 {
		p.printf("| downloads of 100 MiB through `intercept` | | | **%.2f** | %.2f | %.2f | | |\n",
			median(p.downloads), slices.Min(p.downloads), slices.Max(p.downloads))
	}
	p.limitTable()
	p.formerTable()
}

// formerTable shows what has changed since the Caddy of before.
func (p *page) formerTable() {
	begun := false
	for _, k := range p.kinds {
		if k.former == nil || len(k.former.ratios) == 0 {
			continue
		}
		if !begun {
			p.printf("\n| in turn with a Caddy of before | before, of plain | now, of plain | aim | now, of the limit | aim | now, of before | CPU per request, before | now |\n")
			p.printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
			begun = true
		}
		aim, limit := " | ", " | "
		if k.aim > 0 {
			aim = fmt.Sprintf(" | %.4g", k.aim)
		}
		if k.limit != nil {
			limit = fmt.Sprintf("**%.2f** | %.4g", median(k.limit.ratios), k.limit.aim)
		}
		p.printf("| %s | %.2f | **%.2f**%s | %s | %.2f | %s µs | %s µs |\n", k.name, median(k.former.ratios), median(k.ratios), aim, limit,
			median(k.ratios)/median(k.former.ratios), plot.Thousands(median(cpus(k.former.measured))), plot.Thousands(median(cpus(k.measured))))
	}
}

// limitTable shows how near the kinds are to what Caddy can do at all.
func (p *page) limitTable() {
	begun := false
	for _, k := range p.kinds {
		l := k.limit
		if l == nil || len(l.ratios) == 0 {
			continue
		}
		if !begun {
			p.printf("\n| | the limit | requests/s | of the limit, median | min | max | CPU per request |\n")
			p.printf("| --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
			begun = true
		}
		p.printf("| %s | %s | %s | **%.2f** | %.2f | %.2f | %s µs |\n", k.name, l.name, plot.Thousands(median(rates(l.measured))),
			median(l.ratios), slices.Min(l.ratios), slices.Max(l.ratios), plot.Thousands(median(cpus(l.measured))))
	}
}

func (p *page) paceTables() {
	p.printf("\n### At a fixed rate\n")
	for _, perSecond := range paceRates {
		p.printf("\n![Time to the answer at %d events a second](%s)\n\n", perSecond, latencyPlot(perSecond))
		p.printf("| %s events a second | p50 | p95 | p99 | p99.9 | CPU per 1,000 | memory | of it anonymous |\n", plot.Thousands(float64(perSecond)))
		p.printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
		for _, t := range p.paces {
			one, ok := t.at(perSecond)
			if !ok {
				continue
			}
			cpu := one.cpu.Seconds() / float64(one.answered) * 1000
			p.printf("| %s | %s | %.2f s | %s | %s |\n", t.name, percentiles(one.answers, one.behind()), cpu,
				mebibytes(one.peak.resident), mebibytes(one.peak.anonymous))
			if t.later {
				p.printf("| – until the app has it | %s | | | |\n", percentiles(one.arrivals, one.behind()))
			}
		}
		for _, t := range p.paces {
			if one, ok := t.at(perSecond); ok && one.behind() {
				p.printf("\n*%s* fell behind: of %s events, %s were answered by %s after the last was due. The others count with the time that they had waited.\n",
					t.name, plot.Thousands(float64(one.sent)), plot.Thousands(float64(one.answered)), grace)
			}
		}
	}
}

var shownPercentiles = []float64{0.5, 0.95, 0.99, 0.999}

func percentiles(sorted []time.Duration, atLeast bool) string {
	var cells []string
	for _, p := range shownPercentiles {
		cell := milliseconds(percentile(sorted, p))
		if atLeast {
			cell = "≥ " + cell
		}
		cells = append(cells, cell)
	}
	return strings.Join(cells, " | ")
}

func (p *page) grownTable() {
	p.printf("\n### With events in the ledger\n\n![Time to the acknowledgement by events in the ledger](bench-ledger.svg)\n\n")
	p.printf("| events | acknowledged/s | of an empty ledger's, in turn | p50 at 1,000/s | p99 | file | starts in | memory at the start | anonymous | anonymous after the load |\n")
	p.printf("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, g := range p.grown {
		ratio := ""
		if len(g.ratios) > 0 {
			ratio = fmt.Sprintf("**%.2f** (%.2f to %.2f)", median(g.ratios), slices.Min(g.ratios), slices.Max(g.ratios))
		}
		p.printf("| %s | %s | %s | %s | %s | %s | %.2f s | %s | %s | %s |\n", plot.Thousands(float64(g.events)), plot.Thousands(median(g.rates)), ratio,
			milliseconds(percentile(g.paced.answers, 0.5)), milliseconds(percentile(g.paced.answers, 0.99)), mebibytes(int(g.file)), g.started.Seconds(),
			mebibytes(g.fresh.resident), mebibytes(g.fresh.anonymous), mebibytes(g.loaded.anonymous))
	}
}

func milliseconds(d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	if ms >= 100 {
		return plot.Thousands(ms) + " ms"
	}
	return fmt.Sprintf("%.2f ms", ms)
}

func mebibytes(n int) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
