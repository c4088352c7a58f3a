// Package move moves a ledger from one store to another: it copies it part by part,
// compares all that was written with the source, and has the source refused from then
// on. It may be killed at any moment, and goes on where it was.
package move

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Options are how a ledger is moved.
type Options struct {
	// SkipDamaged leaves behind what cannot be read. Else it ends the move.
	SkipDamaged bool
	// Print is told, in lines for people, how far the move is.
	Print func(format string, args ...any)
	// Every is how often. Default: 5s.
	Every time.Duration
	// Batch is how many parts are written in a commit. Default: 2000.
	Batch int
}

const (
	defaultEvery = 5 * time.Second
	defaultBatch = 2000
)

// ErrDamaged is the error of a source with a part that cannot be read.
var ErrDamaged = errors.New("--skip-damaged leaves behind what cannot be read, and lists it; or put a backup of the ledger in its place")

// Run moves a ledger. The error says what to do.
func Run(from ledger.Export, to ledger.Import, opts Options) error {
	if opts.Every <= 0 {
		opts.Every = defaultEvery
	}
	if opts.Batch <= 0 {
		opts.Batch = defaultBatch
	}
	begun, err := to.Begun()
	if err != nil {
		return err
	}
	about := from.About()
	isHere := begun.ID == about.ID
	if moved := from.MovedTo(); moved != "" {
		switch {
		case isHere && moved == to.Name(): // it was cut off right before its end
			return finish(to, opts)
		case isHere: // begun here, and moved somewhere: a part of a ledger must not be opened
			return fmt.Errorf("%s was moved to %s: if that is the same as %s, name it so; if not, this has only a part of it, from a move before that was cut off", about.From, moved, to.Name())
		case moved == to.Name():
			opts.Print("%s was moved to %s already.", about.From, moved)
			return nil
		default:
			return fmt.Errorf("%s was moved to %s already", about.From, moved)
		}
	}
	place, err := to.Begin(about)
	if err != nil {
		return err
	}
	switch {
	case isHere && begun.Version != about.Version:
		opts.Print("%s has changed since its move began: it begins anew.", about.From)
	case place != nil:
		opts.Print("Going on where the move of %s to %s was.", about.From, to.Name())
	default:
		opts.Print("Moving %s, of about %d events, to %s.", about.From, about.Events, to.Name())
	}
	began := time.Now()
	if err := copyParts(from, to, place, opts); err != nil {
		return err
	}
	copied := time.Now()
	moved, err := verify(from, to, opts)
	if err != nil {
		return err
	}
	// Nothing may be lost of the copy once the source is refused.
	if err := to.Settle(); err != nil {
		return again(err)
	}
	if err := from.End(to.Name()); err != nil {
		return err
	}
	opts.Print("%s.", moved)
	opts.Print("Copied in %s, verified in %s: %.0f events/s.", round(copied.Sub(began)), round(time.Since(copied)),
		float64(moved.tally[ledger.TallyEvents])/time.Since(began).Seconds())
	return finish(to, opts)
}

// again says of a failure of the target what to do.
func again(err error) error {
	return fmt.Errorf("%w; start the command again: it goes on where it was", err)
}

func finish(to ledger.Import, opts Options) error {
	if err := to.End(); err != nil {
		return fmt.Errorf("%w; the old ledger is marked as moved, and the new one is whole: start the command again to end the move", err)
	}
	opts.Print("Done: start Caddy with the ledger %s.", to.Name())
	return nil
}

// read is a batch of parts that was read ahead.
type read struct {
	parts         []ledger.Part
	before, place []byte
	err           error
}

// readAhead reads a ledger from a place on, until stop is closed. The batch that is
// read while another is written is the only one.
func readAhead(from ledger.Export, place []byte, limit int, stop <-chan struct{}) <-chan read {
	batches := make(chan read)
	go func() {
		defer close(batches)
		for {
			r := read{before: place}
			r.parts, r.place, r.err = from.Read(place, limit)
			if r.err == nil && len(r.parts) == 0 {
				return
			}
			select {
			case batches <- r:
			case <-stop:
				return
			}
			if r.err != nil || bytes.Equal(r.place, place) {
				return
			}
			place = r.place
		}
	}()
	return batches
}

// each runs do on all batches of a ledger from a place on, and returns once nothing is
// read any more.
func each(from ledger.Export, place []byte, limit int, do func(read) error) error {
	stop := make(chan struct{})
	batches := readAhead(from, place, limit, stop)
	defer func() {
		close(stop)
		for range batches { // until the reader has ended: its file may be closed then
		}
	}()
	for r := range batches {
		if r.err != nil {
			return r.err
		}
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}

// copyParts writes all parts behind a place.
func copyParts(from ledger.Export, to ledger.Import, place []byte, opts Options) error {
	p := newProgress("copied", from.About().Events, opts)
	if place != nil {
		p = newProgress("copied a further", 0, opts)
	}
	return each(from, place, opts.Batch, func(r read) error {
		parts, _, err := usable(r.parts, opts)
		if err != nil {
			return err
		}
		if err := to.Write(parts, r.before, r.place); err != nil {
			return again(err)
		}
		p.add(parts)
		return nil
	})
}

// usable returns the parts that can be moved, and those that are damaged. Without
// SkipDamaged these are an error.
func usable(parts []ledger.Part, opts Options) (whole, damaged []ledger.Part, err error) {
	whole = make([]ledger.Part, 0, len(parts))
	for _, p := range parts {
		if p.Err == nil {
			whole = append(whole, p)
			continue
		}
		if errors.Is(p.Err, ledger.ErrLater) {
			return nil, nil, p.Err
		}
		if !opts.SkipDamaged {
			return nil, nil, fmt.Errorf("%w; %w", p.Err, ErrDamaged)
		}
		damaged = append(damaged, p)
		if p.Kind == ledger.FlagPart && p.Flag != (ledger.Flag{}) {
			// No other event may get the flag, whoever has it.
			whole = append(whole, ledger.Part{Kind: p.Kind, Flag: p.Flag})
		}
	}
	return whole, damaged, nil
}

// progress prints how far something is.
type progress struct {
	what        string
	events, all uint64
	others      uint64
	began, last time.Time
	opts        Options
}

func newProgress(what string, all uint64, opts Options) *progress {
	now := time.Now()
	return &progress{what: what, all: all, began: now, last: now, opts: opts}
}

func (p *progress) add(parts []ledger.Part) {
	for i := range parts {
		if parts[i].Kind == ledger.EventPart {
			p.events++
		} else {
			p.others++
		}
	}
	now := time.Now()
	if now.Sub(p.last) < p.opts.Every {
		return
	}
	p.last = now
	of := ""
	if p.all > 0 {
		of = fmt.Sprintf(" of about %d", p.all)
	}
	if p.others > 0 { // they come last
		of += fmt.Sprintf(" and %d orders, generations and flags", p.others)
	}
	took := now.Sub(p.began)
	p.opts.Print("%s %d events%s in %s, %.0f a second", p.what, p.events, of, round(took), float64(p.events+p.others)/took.Seconds())
}

func round(d time.Duration) time.Duration { return d.Round(time.Second / 10) }
