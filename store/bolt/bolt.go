// Package bolt keeps the ledger in one file, with bbolt. It serves one
// process; every commit is synced to disk before it is acknowledged.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// The file's buckets. Events are ordered by record; bodies and the list of what
// was received by time, so that they grow at one end. Due events are ordered by
// route and time.
var (
	metaBucket     = []byte("meta")
	eventsBucket   = []byte("events")
	bodiesBucket   = []byte("bodies")
	flagsBucket    = []byte("flags")
	ordersBucket   = []byte("orders")
	receivedBucket = []byte("received")
	dueBucket      = []byte("due")
	countsBucket   = []byte("counts")
	// generations hold the key of the order that an order at the gateway belongs to.
	generationsBucket = []byte("generations")
	// endings order by time the orders that end. The bucket is made with the first of
	// them: earlier versions made none.
	endingsBucket = []byte("endings")
	// looks are by account. The bucket is made with the first of them.
	looksBucket = []byte("looks")

	buckets = [][]byte{
		metaBucket, eventsBucket, bodiesBucket, flagsBucket, ordersBucket, receivedBucket, dueBucket, countsBucket,
		generationsBucket,
	}
)

// format is the layout of the file. A later layout gets a new number, and a
// file of a layout that is not known is not touched.
const format = "3"

// movedFormat begins the format of a ledger that was moved; where to follows. Versions
// that do not know it refuse the file as well, and show it.
const movedFormat = "moved to "

var formatKey = []byte("format")

// Store is a ledger in a bbolt file.
type Store struct {
	path string
	disk *disk
	now  func() time.Time
	// Created: the ledger was made by opening it. A new, empty ledger recognises no
	// copies of earlier events.
	Created bool
	// movedTo names where the ledger was moved; empty: it is here.
	movedTo string
	// scans: the list of held, dead and discarded events may not be whole, and is not used.
	scans bool

	commits committer

	mu     sync.Mutex
	epoch  uint64
	leases map[ledger.Record]lease
}

// lease is one record's. Leases live in memory: the file belongs to one
// process, and a lease must not outlive it.
type lease struct {
	epoch uint64
	until time.Time
}

// Options are what opening a file needs to know. The zero value is fine.
type Options struct {
	// Now is the clock that leases run on. Default: time.Now.
	Now func() time.Time
	// LockTimeout is how long to wait for a process that has the file.
	// Default: 1s.
	LockTimeout time.Duration
	// Committed, if set, is called after each synced commit with the time it took.
	Committed func(time.Duration)

	// reached, if set, is called after each step of making a new file: tests look, or
	// end it there.
	reached func(step string) error
	// moved: a ledger that was moved is opened, too.
	moved bool
}

// Open opens the ledger in the file, which it makes if there is none, with its
// folders. The error says what is wrong with the file and what to do.
func Open(path string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = defaultWait
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, explain(path, err)
	}

	made, err := create(path, opts)
	if err != nil {
		return nil, explain(path, err)
	}
	d, err := openDisk(path, opts.LockTimeout)
	if err != nil {
		return nil, explain(path, err)
	}
	// What a process that was killed had not synced yet is shown all the same.
	d.doubtful.Store(true)
	s := &Store{path: path, disk: d, now: opts.Now, Created: made, leases: make(map[ledger.Record]lease)}
	s.commits = committer{disk: d, committed: opts.Committed, patience: defaultPatience}
	if err := guard(func() error { return s.prepare(opts.moved) }); err != nil {
		return nil, errors.Join(explain(path, err), d.db.Close())
	}
	if s.scans = opts.moved; !s.scans { // nothing is written to what is moved
		s.completeAside()
	}
	return s, nil
}

// prepare checks that the file is whole and ours. It makes the buckets of one that
// somebody made empty; to any other it writes nothing, so that it opens on a full disk.
func (s *Store) prepare(evenMoved bool) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	// A file shorter than its own account of itself would crash the process
	// when the missing part is read through the memory map.
	isEmpty := false
	err = s.disk.db.View(func(tx *bbolt.Tx) error {
		if size := tx.Size(); size > info.Size() {
			return fmt.Errorf("%w: it was cut off at %d of %d bytes", errDamaged, info.Size(), size)
		}
		if name, _ := tx.Cursor().First(); name == nil {
			isEmpty = true
			return nil
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return errForeign
		}
		got := string(meta.Get(formatKey))
		to, isMoved := strings.CutPrefix(got, movedFormat)
		switch {
		case isMoved && evenMoved:
			s.movedTo = to
		case isMoved:
			return fmt.Errorf("%w %s", errMoved, to)
		case got != format:
			return fmt.Errorf("%w: its format is %q", errForeign, got)
		}
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("%w: the bucket %s is missing", errDamaged, name)
			}
		}
		return nil
	})
	if err != nil || !isEmpty {
		return err
	}
	s.Created = true
	if err := s.disk.makeBuckets(); err != nil {
		return err
	}
	return syncFolders(s.path)
}

// Close closes the file. Calls that run end first; calls that come later fail with
// [ledger.ErrClosed]. A disk that does not answer is not waited for: the file is
// closed with the process then.
func (s *Store) Close() error {
	if s.disk.broken.Load() {
		return s.disk.abandon()
	}
	closed := make(chan error, 1)
	go func() { closed <- s.disk.db.Close() }()
	ticker := time.NewTicker(s.commits.patience)
	defer ticker.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-ticker.C:
			if s.disk.broken.Load() { // by the commit that ran
				return s.disk.abandon()
			}
			if s.commits.stuck() {
				return s.explain(s.commits.errStuck())
			}
		}
	}
}

// Size implements [ledger.Sizer] with the length of the file.
func (s *Store) Size() (int64, error) {
	var size int64
	err := s.view(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	return size, err
}

// Claim implements [ledger.Store].
func (s *Store) Claim(_ context.Context, record ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	claim := ledger.Claim{Record: record, Epoch: s.lease(record, ttl)}
	if claim.Epoch == 0 {
		return ledger.Claim{}, ledger.ErrLeased
	}
	var seen int64
	err := s.view(func(tx *bbolt.Tx) (err error) {
		seen = int64(tx.ID())
		claim.Events, err = readRecord(tx, record)
		return err
	})
	// A copy of what is held is acknowledged as it is.
	isHeld := func(e ledger.Summary) bool { return e.State == ledger.Held }
	if err == nil && slices.ContainsFunc(claim.Events, isHeld) {
		err = s.waitFor(seen)
	}
	if err != nil {
		s.free(claim)
		return ledger.Claim{}, err
	}
	return claim, nil
}

// lease takes the record's lease and returns its epoch, or 0 if it is taken.
func (s *Store) lease(record ledger.Record, ttl time.Duration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if held, ok := s.leases[record]; ok && now.Before(held.until) {
		return 0
	}
	s.epoch++
	s.leases[record] = lease{epoch: s.epoch, until: now.Add(ttl)}
	return s.epoch
}

// free ends the claim's lease if it is still the claim's.
func (s *Store) free(claim ledger.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[claim.Record].epoch == claim.Epoch {
		delete(s.leases, claim.Record)
	}
}

// owns reports whether no other claim has taken the record since.
func (s *Store) owns(claim ledger.Claim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases[claim.Record].epoch == claim.Epoch
}

// Unlock implements [ledger.Store].
func (s *Store) Unlock(_ context.Context, claim ledger.Claim) error {
	s.free(claim)
	return nil
}

// Commit implements [ledger.Store].
func (s *Store) Commit(_ context.Context, claim ledger.Claim, changes []ledger.Change) error {
	writes := make([]*write, len(changes))
	for i, change := range changes {
		isOf := func(e ledger.Summary) bool { return e.Key == change.Event.Key }
		if !slices.ContainsFunc(claim.Events, isOf) {
			writes[i] = prepareAhead(eventKey(change.Event.Key), change)
		}
	}
	err := s.update(func(tx *bbolt.Tx) (err error) {
		if !s.owns(claim) {
			return ledger.ErrFenced
		}
		for i, change := range changes {
			if writes[i], err = prepareChange(tx, change, writes[i]); err != nil {
				return err
			}
		}
		return putAll(tx, writes, s.now(), &s.commits.counts)
	})
	if err == nil {
		s.free(claim)
	}
	return err
}

// Accept implements [ledger.Store].
func (s *Store) Accept(_ context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	var known *ledger.Event
	var change *ledger.Change
	var seen int64 // the commit that was looked at
	at := eventKey(key)
	look := func(tx *bbolt.Tx) (err error) {
		seen = int64(tx.ID())
		if known, err = findEvent(tx, at, key); err == nil {
			change = decide(known)
		}
		return err
	}
	err := s.view(look)
	// What is shown before it is synced must not be acknowledged yet: an update
	// comes after the commit that still runs, and fails where that one does.
	if err != nil || change == nil && seen <= s.disk.durable.Load() {
		return err
	}
	var ahead *write
	if known == nil && change != nil {
		ahead = prepareAhead(at, *change)
	}
	err = s.update(func(tx *bbolt.Tx) error {
		if ahead.isStillNew(tx) {
			return ahead.put(tx, s.now(), &s.commits.counts)
		}
		if err := look(tx); err != nil {
			return err
		}
		if change == nil {
			return errNothing // another copy was quicker, and is durable
		}
		w, err := prepareChangeOf(tx, at, *change, known)
		if err != nil {
			return err
		}
		return w.put(tx, s.now(), &s.commits.counts)
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// Load implements [ledger.Store].
func (s *Store) Load(_ context.Context, key ledger.Key) (event ledger.Event, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if event, err = readEvent(tx, key); err != nil {
			return err
		}
		event.Body, event.BodyDamaged = readBody(tx, bodyKey(event.ReceivedAt, eventKey(key)))
		return nil
	})
	return event, err
}

// Prune implements [ledger.Store].
func (s *Store) Prune(_ context.Context, before time.Time, limit int) (int, error) {
	var bodies [][]byte
	err := s.view(func(tx *bbolt.Tx) (err error) {
		bodies, err = finishedBodies(tx, before, limit)
		return err
	})
	if err != nil || len(bodies) == 0 {
		return 0, err // and nothing is written, however often it is asked
	}
	err = s.update(func(tx *bbolt.Tx) error { return deleteBodies(tx, bodies) })
	if err != nil {
		return 0, err
	}
	return len(bodies), nil
}

func (s *Store) view(fn func(*bbolt.Tx) error) error {
	if s.disk.doubtful.Load() {
		err := s.commits.update(func(*bbolt.Tx) error { return errNothing })
		if !errors.Is(err, errNothing) {
			return s.explain(err)
		}
	}
	failures := s.disk.failures.Load()
	err := guard(func() error { return s.disk.db.View(fn) })
	if s.disk.failures.Load() != failures {
		err = errCommitFailed // what was read may be of that commit, or of pages given up with it
	}
	return s.explain(err)
}

// waitFor returns when the transaction that was seen is durable.
func (s *Store) waitFor(seen int64) error {
	if seen <= s.disk.durable.Load() {
		return nil
	}
	err := s.update(func(*bbolt.Tx) error { return errNothing })
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

func (s *Store) update(fn func(*bbolt.Tx) error) error {
	return s.explain(s.commits.update(fn))
}

// guard turns the panic of bbolt over a damaged page into an error, also where
// the page sends it to an address that the memory map does not have.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error: // its words are about the program, not about the file
			err = fmt.Errorf("%w: a page of it is missing or leads nowhere", errDamaged)
		default:
			err = fmt.Errorf("%w: %s", errDamaged, strings.TrimPrefix(fmt.Sprint(p), "assertion failed: "))
		}
	}()
	return fn()
}

// Interface guards
var (
	_ ledger.Store       = (*Store)(nil)
	_ ledger.Sizer       = (*Store)(nil)
	_ ledger.Snapshotter = (*Store)(nil)
)
