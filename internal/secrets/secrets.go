// Package secrets reads secrets again when the files that hold them change.
package secrets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// interval is how often the files are looked at; settled is how long a change
	// must have stood before it is read, so that half a file is not. Together they
	// are well below the ten seconds within which a change is used.
	interval = 2 * time.Second
	settled  = time.Second
	// largest is how much of a file is looked at: far more than a secret has.
	largest = 1 << 20
)

// Source is one secret, or several that are read together.
type Source struct {
	// Name says whose secret it is, such as `token of route webhook`.
	Name string
	// Files are the files that hold it.
	Files []string
	// Apply reads the files and uses what they hold from then on. On an error what
	// was used before stays in use.
	Apply func() error
}

// Watcher applies sources whose files have changed. It is safe for concurrent use.
type Watcher struct {
	logger *zap.Logger

	mu      sync.Mutex
	watched []*watched
}

// watched is a source, and how it stands.
type watched struct {
	source  Source
	status  Status
	applied fingerprint // what is in use
	pending fingerprint // what the files hold instead, and since when
	since   time.Time
	failed  fingerprint // what could not be used
}

// Status is how a source stands. It says nothing of the secret itself.
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

// New returns a watcher of nothing.
func New(logger *zap.Logger) *Watcher { return &Watcher{logger: logger} }

// Watch adds a source, unless it has no files. Call it before the files are read
// for the first time, so that no change is missed.
func (w *Watcher) Watch(s Source) {
	if len(s.Files) == 0 {
		return
	}
	applied, _ := read(s.Files)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched = append(w.watched, &watched{
		source: s, applied: applied, status: Status{Name: s.Name, Files: s.Files, Generation: 1},
	})
}

// Run looks at the files until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.look(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// Status returns how every source stands.
func (w *Watcher) Status() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Status, len(w.watched))
	for i, s := range w.watched {
		list[i] = s.status
	}
	return list
}

func (w *Watcher) look(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.watched {
		found, err := read(s.source.Files)
		switch {
		case found == s.applied:
			s.pending, s.failed, s.status.Error = fingerprint{}, fingerprint{}, ""
		case found != s.pending:
			s.pending, s.since = found, now
		case now.Sub(s.since) >= settled && found != s.failed:
			w.apply(s, found, err, now)
		}
	}
}

// apply uses what the files hold now, or says why it cannot be used.
func (w *Watcher) apply(s *watched, found fingerprint, err error, now time.Time) {
	if err == nil {
		err = s.source.Apply()
	}
	if err != nil {
		s.failed, s.status.Error = found, err.Error()
		w.logger.Error("a file with a secret has changed and cannot be used: the secret before it stays in use",
			zap.String("secret", s.source.Name), zap.Strings("files", s.source.Files), zap.Error(err))
		return
	}
	s.applied, s.pending, s.failed = found, fingerprint{}, fingerprint{}
	s.status.Generation++
	s.status.ChangedAt, s.status.Error = now, ""
	w.logger.Info("a file with a secret has changed, and is in use",
		zap.String("secret", s.source.Name), zap.Strings("files", s.source.Files), zap.Int("generation", s.status.Generation))
}

// fingerprint tells contents of files from others.
type fingerprint [sha256.Size]byte

// read returns the fingerprint of files, and why one of them cannot be read or is
// empty.
func read(files []string) (fingerprint, error) {
	sum := sha256.New()
	var failure error
	for _, name := range files {
		content, err := readFile(name)
		if err == nil && len(content) == 0 {
			err = fmt.Errorf("%s is empty", name)
		}
		if err != nil && failure == nil {
			failure = err
		}
		fmt.Fprintf(sum, "%d:%s%t", len(content), content, err == nil)
	}
	return fingerprint(sum.Sum(nil)), failure
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, largest))
}

var filePlaceholder = regexp.MustCompile(`\{file\.([^{}]+)\}`)

// Files returns the files that Caddy's placeholders {file.…} in the texts name,
// each once.
func Files(texts ...string) []string {
	var files []string
	for _, text := range texts {
		for _, match := range filePlaceholder.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(files, match[1]) {
				files = append(files, match[1])
			}
		}
	}
	return files
}
