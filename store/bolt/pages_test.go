package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A page that is damaged is an error wherever it is met, and never a crash, a
// hang, or an event that was not written.
func TestDamagedPages(t *testing.T) {
	const n = 60
	page := os.Getpagesize()
	whole, err := os.ReadFile(fill(t, n))
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string]func(page []byte){
		"Flipped": func(p []byte) {
			for i := range p {
				p[i] ^= 0xff
			}
		},
		"Zeroed": func(p []byte) { clear(p) },
		"Header": func(p []byte) { p[8] ^= 0xff },
		"Positions": func(p []byte) {
			for i := 17; i < 256; i += 4 {
				p[i] ^= 0x05
			}
		},
		"FarAway": func(p []byte) {
			for i := 17; i < 256; i += 4 { // positions, lengths and pages far away
				p[i] = 0x7f
			}
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			met := 0
			path := filepath.Join(t.TempDir(), "ledger.db")
			for at := 2 * page; at < len(whole); at += page {
				file := bytes.Clone(whole)
				damage(file[at : at+page])
				if bytes.Equal(file, whole) {
					continue
				}
				if err := os.WriteFile(path, file, 0o600); err != nil {
					t.Fatal(err)
				}
				if useDamaged(t, path, n) {
					met++
				}
			}
			if met == 0 {
				t.Error("no damage was met")
			}
		})
	}
}

// useDamaged opens, reads and writes a damaged ledger, and reports whether
// the damage was met.
func useDamaged(t *testing.T, path string, n int) (met bool) {
	t.Helper()
	s, err := Open(path, Options{LockTimeout: 50 * time.Millisecond})
	if err != nil {
		if !strings.Contains(err.Error(), "backup") && !strings.Contains(err.Error(), "choose another path") {
			t.Errorf("opening: %v", err)
		}
		return true
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}()
	note := func(err error) {
		if err == nil || errors.Is(err, ledger.ErrNotFound) {
			return
		}
		met = true
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
	}
	for i := range n {
		c := delivered(fmt.Sprint(i))
		event, err := s.Load(bg, c.Event.Key)
		note(err)
		if err == nil && event.State != ledger.Delivered {
			t.Errorf("a damaged page is read as %+v", event)
		}
		if i%20 == 0 {
			claim, err := s.Claim(bg, c.Event.Record, time.Minute)
			note(err)
			if err == nil {
				note(s.Unlock(bg, claim))
			}
		}
	}
	_, err = s.Prune(bg, time.Now(), 10)
	note(err)
	for _, id := range []string{"0", "new"} {
		note(commit(s, delivered(id)))
	}
	return met
}
