package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// grown is what a ledger of many events comes to.
type grown struct {
	events  int
	file    int64         // bytes, before the load
	started time.Duration // until Caddy responded
	fresh   memory        // then
	loaded  memory        // after the load
	rates   []float64     // acknowledgements per second
	ratios  []float64     // to those of the smallest, in turn
	paced   paced
}

// grow compares acknowledging on ledgers of more and more events to one that
// begins with a single event.
func (b *bench) grow(ctx context.Context) (all []grown, err error) {
	dir, err := os.MkdirTemp(b.ledgerDir, "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	growing, next := filepath.Join(dir, "growing.db"), filepath.Join(dir, "next.db")
	sizes := []int{1}
	for n := 1000; n <= b.events; n *= 10 {
		sizes = append(sizes, n)
	}
	var smallest *server
	for i, n := range sizes {
		begun := time.Now()
		if err := fill(growing, sizes[max(i-1, 0)]*min(i, 1), n); err != nil {
			return all, fmt.Errorf("filling the ledger: %w", err)
		}
		if i == len(sizes)-1 {
			err = os.Rename(growing, next)
		} else {
			err = copyFile(next, growing)
		}
		if err != nil {
			return all, err
		}
		s, err := b.startServer(ctx, b.caddy, next, "")
		if err != nil {
			return all, err
		}
		if i == 0 {
			smallest = s
			defer func() { err = errors.Join(err, s.stop()) }()
		}
		fmt.Fprintf(os.Stderr, "a ledger of %d events after %s\n", n, time.Since(begun).Round(time.Second))
		g, err := b.growth(n, s, smallest)
		if s != smallest {
			err = errors.Join(err, s.stop())
		}
		if err != nil {
			return all, err
		}
		all = append(all, g)
	}
	return all, nil
}

func (b *bench) growth(n int, s, smallest *server) (g grown, err error) {
	t, small := s.target("", s.down), smallest.target("", smallest.down)
	info, err := os.Stat(s.ledger())
	if err != nil {
		return g, err
	}
	g = grown{events: n, file: info.Size(), started: s.took, fresh: t.memory()}
	if g.paced, err = b.pace(t, 1000, b.duration); err != nil {
		return g, err
	}
	for range min(b.rounds, 3) {
		var base figures
		if s != smallest {
			if base, err = b.acknowledge(small); err != nil {
				return g, err
			}
		}
		f, err := b.acknowledge(t)
		if err != nil {
			return g, err
		}
		g.rates = append(g.rates, f.rate)
		if s != smallest {
			g.ratios = append(g.ratios, f.rate/base.rate)
		}
		g.loaded = g.loaded.highest(t.memory())
	}
	return g, nil
}

func (b *bench) acknowledge(t *target) (figures, error) {
	r, err := b.fresh(nil)
	if err != nil {
		return figures{}, err
	}
	return b.measure(t, r, b.duration)
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}
