package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// target is what is measured: an address, and the processes behind it.
type target struct {
	name string
	addr string
	more []string // addresses of others that do the same
	processes
	yes   answer // expected for a genuine event
	later bool   // it acknowledges before it delivers
	peer  bool   // its failures are its own, and end no run
}

// kind is what is compared to plain.
type kind struct {
	name     string
	aim      float64 // 0: none, as for what is somebody else's
	to       *target
	webhooks func(b *bench, of *server) (requests, error)
	drain    bool // what was acknowledged must have arrived at the app

	// What it is compared to; by default plain, with the app's response.
	base       *target
	baseAnswer answer
	ratios     []float64
	plain      []figures
	measured   []figures

	limit *limit // nil: plain is all that can be had

	former *kind // of the Caddy of before; nil: there is none
}

// limit is the least that can be done about the same requests, in the same Caddy.
type limit struct {
	name     string
	to       *target
	answer   answer
	aim      float64
	ratios   []float64
	measured []figures
}

// figures are what one measurement comes to.
type figures struct {
	rate float64 // requests per second that had the expected response
	cpu  float64 // microseconds of processor time per request
}

// word is the first of the name.
func (k *kind) word() string {
	word, _, _ := strings.Cut(k.name, " ")
	return word
}

// kinds are what is measured in the server, each with its like in the Caddy of before.
func (b *bench) kinds() []*kind {
	kinds := b.kindsOf(b.server)
	if b.former == nil {
		return kinds
	}
	for i, former := range b.kindsOf(b.former) {
		kinds[i].former = former
	}
	return kinds
}

func (b *bench) kindsOf(s *server) []*kind {
	at := func(addr string) *target { return s.target("", addr) }
	return []*kind{
		{name: "fresh events, passed through", aim: 0.92, webhooks: (*bench).fresh, to: at(s.webhook)},
		{
			name: "copies of delivered events", webhooks: (*bench).copies, to: at(s.webhook),
			limit: &limit{name: "`respond`", to: at(s.respond), answer: answer{"200", respondBody}, aim: 0.75},
		},
		{
			name: "forged deliveries", webhooks: (*bench).forged, to: at(s.webhook),
			limit: &limit{name: "`respond 401`", to: at(s.refuse), answer: no, aim: 0.95},
		},
		{
			name: "acknowledged while the app is down", aim: 2, webhooks: (*bench).fresh, to: at(s.down),
			limit: &limit{name: "a bare handler that syncs as well", to: at(s.limit), answer: yes, aim: 0.8},
		},
		{
			name: "repeated checkouts, to a plain `respond`", aim: 0.8, webhooks: (*bench).checkouts, to: at(s.checkout),
			base: at(s.respond), baseAnswer: answer{"200", respondBody},
		},
		{name: "intercepted answers that pass", aim: 0.97, webhooks: (*bench).pages, to: at(s.intercept)},
		{name: "handed over too, stored and forwarded", aim: 0.95, webhooks: (*bench).fresh, to: at(s.stored), drain: true},
	}
}

// compare measures the kinds in turn, round by round.
func (b *bench) compare(ctx context.Context, kinds []*kind) error {
	for round := range b.rounds {
		for _, k := range kinds {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := b.pair(k)
			if err != nil {
				err = fmt.Errorf("%s: %w", k.name, err)
			}
			if err != nil && k.to.peer {
				b.miss(err)
				continue
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "round %d of %d, %s: %.0f/s, plain %.0f/s\n",
				round+1, b.rounds, k.name, k.measured[len(k.measured)-1].rate, k.plain[len(k.plain)-1].rate)
		}
	}
	return nil
}

// warmUp opens the files, fills the caches and learns how many requests a
// measurement takes.
func (b *bench) warmUp() error {
	for range 2 {
		r := b.signed(20_000)
		if _, err := b.measure(b.server.target("", b.server.plain), r.want(plainYes), time.Second); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
		if _, err := b.measure(b.server.target("", b.server.webhook), r.want(yes), time.Second); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
	}
	return nil
}

// pair measures plain, the limit and the kind, one after the other, and the Caddy of
// before beside the kind, by turns as the first and the second.
func (b *bench) pair(k *kind) error {
	webhooks, err := k.webhooks(b, b.server)
	if err != nil {
		return err
	}
	base, want := k.base, k.baseAnswer
	if base == nil {
		base, want = b.server.target("", b.server.plain), plainYes
	}
	plain, err := b.measure(base, webhooks.want(want), b.duration)
	if err != nil {
		return fmt.Errorf("plain: %w", err)
	}
	if k.limit != nil {
		least, err := b.measure(k.limit.to, webhooks.want(k.limit.answer), b.duration)
		if err != nil {
			return fmt.Errorf("%s: %w", k.limit.name, err)
		}
		k.limit.measured = append(k.limit.measured, least)
	}
	round := len(k.plain)
	if k.former != nil && round%2 == 0 {
		if err := b.measureFormer(k.former, plain); err != nil {
			return err
		}
	}
	measured, err := b.measureKind(k, webhooks)
	if err != nil {
		return err
	}
	if k.former != nil && round%2 == 1 {
		if err := b.measureFormer(k.former, plain); err != nil {
			return err
		}
	}
	if k.limit != nil {
		k.limit.ratios = append(k.limit.ratios, measured.rate/k.limit.measured[round].rate)
	}
	k.plain = append(k.plain, plain)
	k.measured = append(k.measured, measured)
	k.ratios = append(k.ratios, measured.rate/plain.rate)
	return nil
}

// measureFormer measures the same of the Caddy of before, to the same plain.
func (b *bench) measureFormer(k *kind, plain figures) error {
	webhooks, err := k.webhooks(b, b.former)
	if err == nil {
		var f figures
		f, err = b.measureKind(k, webhooks)
		k.measured = append(k.measured, f)
		k.ratios = append(k.ratios, f.rate/plain.rate)
	}
	if err != nil {
		return fmt.Errorf("the Caddy of before: %w", err)
	}
	return nil
}

// measureKind measures what is compared to plain, up to its arrival at the app
// where that is asked for.
func (b *bench) measureKind(k *kind, r requests) (figures, error) {
	arrived, cpu, start := b.app.events.Load(), k.to.cpu(), time.Now()
	f, err := b.measure(k.to, r, b.duration)
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
		cpu:  float64((k.to.cpu() - cpu).Microseconds()) / float64(sent),
	}, nil
}

func (b *bench) measure(t *target, r requests, duration time.Duration) (figures, error) {
	before := t.cpu()
	answered, elapsed, err := load(append([]string{t.addr}, t.more...), r, b.connections, duration)
	if err != nil {
		return figures{}, err
	}
	f := figures{
		rate: float64(answered) / elapsed.Seconds(),
		cpu:  float64((t.cpu() - before).Microseconds()) / float64(answered),
	}
	if !r.endless {
		b.rate = max(b.rate, f.rate)
	}
	return f, nil
}

// downloads compares downloads through intercept to plain ones, in turn, and
// returns the ratios.
func (b *bench) downloads() (ratios []float64, err error) {
	for range b.rounds {
		var took [2]time.Duration
		for i, addr := range []string{b.server.plain, b.server.intercept} {
			start := time.Now()
			for range 5 {
				response, err := http.Get("http://" + addr + "/big")
				if err != nil {
					return nil, err
				}
				n, err := io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || n != bigSize {
					return nil, fmt.Errorf("a download ended after %d bytes: %w", n, err)
				}
			}
			took[i] = time.Since(start)
		}
		ratios = append(ratios, float64(took[0])/float64(took[1]))
	}
	return ratios, nil
}

// writeProfiles measures the pair once more, for the profiles.
func (b *bench) writeProfiles(k *kind) error {
	webhooks, err := k.webhooks(b, b.server)
	if err != nil {
		return err
	}
	plain := b.server.target("", b.server.plain)
	for _, m := range []struct {
		name string
		to   *target
		requests
	}{
		{k.word() + "-plain", plain, webhooks.want(plainYes)},
		{k.word(), k.to, webhooks},
	} {
		written := make(chan error, 1)
		go func() { written <- b.server.profile(filepath.Join(b.profile, m.name+".pprof"), b.duration) }()
		f, err := b.measure(m.to, m.requests, b.duration)
		if err := errors.Join(err, <-written); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "profiled %s: %.0f requests\n", m.name, f.rate*b.duration.Seconds())
	}
	return nil
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
