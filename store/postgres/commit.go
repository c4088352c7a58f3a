package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Commit implements [ledger.Store]. It computes what the changes come to from what the
// claim has read, and has the database compare that with what it has.
func (s *Store) Commit(_ context.Context, claim ledger.Claim, changes []ledger.Change) error {
	record := recordID(claim.Record)
	known := s.held.get(claim.Epoch)
	isFresh := false
	for began := time.Now(); time.Since(began) < s.patience; {
		if known == nil {
			var err error
			if known, err = s.readRecord("Commit", record); err != nil {
				return err
			}
			isFresh = true
		}
		c, err := s.prepareAll("Commit", changes, known)
		if err != nil && !isFresh {
			known = nil // what was read before may be why
			continue
		}
		if err != nil { // which another claim may be the cause of
			owns, ownErr := s.owns(claim)
			if ownErr == nil && !owns {
				err = ledger.ErrFenced
			}
			return errors.Join(ownErr, s.explain(err))
		}
		c.record, c.epoch, c.by, c.ends = record, claim.Epoch, claim.Epoch, true
		switch out, err := s.write(c); {
		case err != nil:
			return err
		case !out.owned:
			s.held.drop(claim.Epoch)
			return ledger.ErrFenced
		case !out.written:
			known, isFresh = nil, false
		default:
			s.held.drop(claim.Epoch)
			return nil
		}
	}
	return s.explain(errStuck)
}

// prepareAll computes what a commit's changes come to.
func (s *Store) prepareAll(method string, changes []ledger.Change, known rows) (change, error) {
	c := change{method: method}
	if err := s.knowKinds(changes); err != nil {
		return c, err
	}
	written := make(map[digest]bool, len(changes))
	for _, one := range changes {
		id := eventID(one.Event.Key)
		if written[id] {
			return c, fmt.Errorf("the event %s is in one commit twice", one.Event.EventID())
		}
		written[id] = true
		w, err := s.prepare(one, known[id])
		if err != nil {
			return c, err
		}
		c.events = append(c.events, w)
	}
	var err error
	c.orders, err = s.mergeOrders(method, changes)
	return c, err
}

// Accept implements [ledger.Store]. It takes the event to be new, which it is but for
// copies, and reads it where it is not.
func (s *Store) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	isRead := false
	var known *row
	for began := time.Now(); time.Since(began) < s.patience; {
		var event *ledger.Event
		if known != nil {
			if known.err != nil {
				return s.explain(known.err)
			}
			copied := known.event
			event = &copied
		}
		decided := decide(event)
		if decided == nil && isRead {
			return s.Sync(ctx)
		}
		if decided != nil {
			c, err := s.prepareAll("Accept", []ledger.Change{*decided}, rows{eventID(key): known})
			if err != nil && isRead {
				return s.explain(err)
			}
			if err == nil {
				out, err := s.write(c)
				if err != nil || out.written {
					return err
				}
			}
		}
		var err error
		if known, err = s.readEvent("Accept", key); err != nil {
			return err
		}
		isRead = true
	}
	return s.explain(errStuck)
}

const readEventSQL = `select version, epoch, data from ledger.events where record = $1 and id = $2`

// readEvent reads an event without its body; nil: there is none.
func (s *Store) readEvent(method string, key ledger.Key) (*row, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (*row, error) {
		s.count(method)
		var version, epoch int64
		var data []byte
		id := eventID(key)
		err := conn.QueryRow(ctx, s.sql.readEvent, recordID(key.Record), id).Scan(&version, &epoch, &data)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return readRow(id, version, epoch, data), nil
	})
}

// Bind implements [ledger.Store]. A flag's holder is the digest of its event's key.
func (s *Store) Bind(_ context.Context, claim ledger.Claim, one ledger.Change, flags []ledger.Flag) ([]bool, error) {
	key := one.Event.Key
	if key.Record != claim.Record {
		return nil, fmt.Errorf("the claim is of record %s, not of %s", claim.Record.ID, key.Record.ID)
	}
	record := recordID(claim.Record)
	var known rows
	isFresh := true
	if len(one.Transitions) > 0 {
		known = s.held.get(claim.Epoch)
		isFresh = false
	}
	for began := time.Now(); time.Since(began) < s.patience; {
		c := change{method: "Bind"}
		var err error
		if len(one.Transitions) > 0 {
			if known == nil {
				if known, err = s.readRecord("Bind", record); err != nil {
					return nil, err
				}
				isFresh = true
			}
			if c, err = s.prepareAll("Bind", []ledger.Change{one}, known); err != nil && !isFresh {
				known = nil
				continue
			}
		}
		if err != nil {
			owns, ownErr := s.owns(claim)
			if ownErr == nil && !owns {
				err = ledger.ErrFenced
			}
			return nil, errors.Join(ownErr, s.explain(err))
		}
		c.record, c.epoch, c.by = record, claim.Epoch, claim.Epoch
		c.flags, c.holder = flags, eventID(key)
		switch out, err := s.write(c); {
		case err != nil:
			return nil, err
		case !out.owned:
			return nil, ledger.ErrFenced
		case !out.written:
			known = nil
		default:
			for _, w := range c.events {
				s.held.update(claim.Epoch, w)
			}
			return out.bound, nil
		}
	}
	return nil, s.explain(errStuck)
}

// Holds implements [ledger.Store].
func (s *Store) Holds(ctx context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	holders, err := s.holders(ctx, "Holds", flags)
	own := eventID(key)
	held := make([]bool, len(holders))
	for i, holder := range holders {
		held[i] = holder != nil && *holder == own
	}
	return held, err
}

// HoldsMany implements [ledger.Store].
func (s *Store) HoldsMany(ctx context.Context, of []ledger.Holding) ([]bool, error) {
	flags := make([]ledger.Flag, len(of))
	for i := range of {
		flags[i] = of[i].Flag
	}
	holders, err := s.holders(ctx, "HoldsMany", flags)
	held := make([]bool, len(of))
	for i, holder := range holders {
		held[i] = holder != nil && *holder == eventID(of[i].Key)
	}
	return held, err
}

// Bound implements [ledger.Store].
func (s *Store) Bound(ctx context.Context, flags []ledger.Flag) ([]bool, error) {
	holders, err := s.holders(ctx, "Bound", flags)
	bound := make([]bool, len(holders))
	for i, holder := range holders {
		bound[i] = holder != nil
	}
	return bound, err
}

// holders reads whose the flags are. What is bound is so for ever, and is acted upon: an
// app is told to fulfil an order, or an event is sent without.
func (s *Store) holders(ctx context.Context, method string, flags []ledger.Flag) ([]*digest, error) {
	ids := make(digests, len(flags))
	for i, f := range flags {
		ids[i] = flagID(f)
	}
	holders, err := call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) ([]*digest, error) {
		s.count(method)
		found, err := conn.Query(ctx, s.sql.holders, ids)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(found, pgx.RowTo[*digest])
	})
	if err == nil && slices.ContainsFunc(holders, func(holder *digest) bool { return holder != nil }) {
		err = s.Sync(ctx)
	}
	return holders, err
}
