// Package secrets reads secrets again when the files that hold them change.
package secrets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/placeholder"
)

const (
	// interval is how often the files are looked at. A change is used when two looks in
	// a row have found the same, so that half a file is not: well below the ten seconds
	// within which a change is used.
	interval = time.Second
	// rarest is how often what cannot be used is tried again at least.
	rarest = time.Minute
	// slow is how long files are being read when the status says so.
	slow = 10 * time.Second
)

// Apply uses a secret from then on. It takes what files hold from file alone. On an
// error what was used before stays in use.
type Apply = func(file func(name string) ([]byte, error)) error

// Watcher applies secrets, and again when their files have changed. It is safe for
// concurrent use.
type Watcher struct {
	repl   placeholder.Replacer
	logger *zap.Logger
	read   func(files []string) contents

	// mu is not held while files are read, which may take for ever, nor while a secret
	// is applied: whoever asks for the status never waits for either.
	mu      sync.Mutex
	watched []*watched
}

// watched is a secret, or several that are read together. But for what stands under
// the watcher's mutex, one goroutine at a time uses it.
type watched struct {
	files []string
	inUse contents
	seen  contents // at the latest look, where that is not what is in use
	tries int      // of what was seen, that failed
	next  time.Time
	said  string // in the log, about what was seen

	// The watcher's mutex protects these.
	appliers []Apply
	status   Status
	reading  time.Time // since when the files are being read; zero: they are not
}

// Status is how a secret stands. It says nothing of the secret itself.
type Status struct {
	Name  string
	Files []string
	// Generation counts what was used, from 1: 2 is the first change.
	Generation int
	// ChangedAt is when the latest change was used; zero: there was none.
	ChangedAt time.Time
	// Error is why what the files hold is not used; empty: it is.
	Error string
}

// New returns a watcher of nothing. The replacer replaces placeholders that name no
// file.
func New(repl placeholder.Replacer, logger *zap.Logger) *Watcher {
	return &Watcher{repl: repl, logger: logger, read: read}
}

// Follow returns what read makes of texts that are secrets, now and after a file that
// they name has changed. Where read fails later, what it returned before stays. The
// name says whose secrets they are, such as `token of route webhook`.
func Follow[T any](w *Watcher, name string, read func(placeholder.Replacer) (T, error), texts ...string) (func() T, error) {
	var current atomic.Pointer[T]
	err := w.Watch(name, func(file func(string) ([]byte, error)) error {
		repl := placeholder.WithFiles(w.repl, file)
		for _, text := range texts {
			if value, err := placeholder.Optional(repl, name, text); err == nil && placeholder.IsQuoted(value) {
				w.logger.Warn(placeholder.QuotedWarning, zap.String("option", name))
			}
		}
		value, err := read(repl)
		if err == nil {
			current.Store(&value)
		}
		return err
	}, texts...)
	return func() T { return *current.Load() }, err
}

// Watch applies a secret, whose error it returns, and has it applied again when a file
// changes that one of the texts names by a placeholder. Where the same name and files
// are watched already, as of a handler that stands on two listeners, both are one secret
// with one status. Watch is called before Run.
func (w *Watcher) Watch(name string, apply Apply, texts ...string) error {
	files := placeholder.Files(texts...)
	w.mu.Lock()
	i := slices.IndexFunc(w.watched, func(s *watched) bool { return s.status.Name == name && slices.Equal(s.files, files) })
	var s *watched
	if i >= 0 {
		s = w.watched[i]
	}
	w.mu.Unlock()
	if s == nil {
		s = &watched{files: files, inUse: w.read(files), status: Status{Name: name, Files: files, Generation: 1}}
	}
	if err := apply(s.inUse.file); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.appliers = append(s.appliers, apply); i < 0 && len(files) > 0 {
		w.watched = append(w.watched, s)
	}
	return nil
}

// Run looks at the files until the context ends, and then leaves alone what is being
// read. Each secret is looked at by itself: files that cannot be read for as long as
// their disk is away hold up no others.
func (w *Watcher) Run(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.watched {
		go w.run(ctx, s)
	}
}

func (w *Watcher) run(ctx context.Context, s *watched) {
	for {
		select {
		case <-time.After(interval): // also where the last look took longer
			w.look(ctx, s)
		case <-ctx.Done():
			return
		}
	}
}

// Status returns how every secret stands.
func (w *Watcher) Status() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Status, len(w.watched))
	for i, s := range w.watched {
		list[i] = s.status
		if !s.reading.IsZero() && time.Since(s.reading) >= slow {
			list[i].Error = fmt.Sprintf("being read since %s: the disk does not respond", s.reading.UTC().Format(time.RFC3339))
		}
	}
	return list
}

func (w *Watcher) look(ctx context.Context, s *watched) {
	w.update(func() { s.reading = time.Now() })
	found := w.read(s.files)
	w.update(func() { s.reading = time.Time{} })
	switch {
	case ctx.Err() != nil: // it may have been read for long
	case found.equal(s.inUse):
		s.seen = nil
		w.update(func() { s.status.Error = "" })
	case s.seen == nil || !found.equal(s.seen):
		s.seen, s.tries, s.next, s.said = found, 0, time.Time{}, ""
	case !time.Now().Before(s.next):
		w.take(s)
	}
}

func (w *Watcher) update(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// take uses what was seen, or says why it cannot be used, and tries again later: the
// cause may have been another, that passes. Where several files have changed, and one
// cannot be used, the others are.
func (w *Watcher) take(s *watched) {
	var changed []string
	for _, name := range s.files {
		if !s.seen[name].equal(s.inUse[name]) {
			changed = append(changed, name)
		}
	}
	used, err := s.seen, w.apply(s, s.seen)
	if err != nil {
		used = s.inUse
		if len(changed) > 1 {
			used, err = w.takeEach(s, changed)
		}
	}
	if !used.equal(s.inUse) {
		w.used(s, used)
	}
	if err != nil {
		w.failed(s, err)
	}
}

// takeEach uses each file's change that can be used by itself. The error is the first
// of those that cannot.
func (w *Watcher) takeEach(s *watched, changed []string) (used contents, failure error) {
	used = s.inUse
	for _, name := range changed {
		next := maps.Clone(used)
		next[name] = s.seen[name]
		if err := w.apply(s, next); err == nil {
			used = next
		} else if failure == nil {
			failure = err
		}
	}
	return used, failure
}

func (w *Watcher) apply(s *watched, c contents) error {
	var appliers []Apply
	w.update(func() { appliers = s.appliers })
	for _, apply := range appliers {
		if err := apply(c.file); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watcher) used(s *watched, c contents) {
	s.inUse = c
	var status Status
	w.update(func() {
		s.status.Generation++
		s.status.ChangedAt, s.status.Error = time.Now(), ""
		status = s.status
	})
	w.logger.Info("a file with a secret has changed, and is in use",
		zap.String("secret", status.Name), zap.Strings("files", status.Files), zap.Int("generation", status.Generation))
}

func (w *Watcher) failed(s *watched, err error) {
	s.next = time.Now().Add(min(interval<<min(s.tries, 10), rarest))
	s.tries++
	w.update(func() { s.status.Error = err.Error() })
	if s.said == err.Error() {
		return // each try fails in the same way
	}
	s.said = err.Error()
	w.logger.Error("a file with a secret has changed and cannot be used: the secret before it stays in use",
		zap.String("secret", s.status.Name), zap.Strings("files", s.status.Files), zap.Error(err))
}
