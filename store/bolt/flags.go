package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Bind implements [ledger.Store]. A flag's value is the key of its event.
func (s *Store) Bind(
	_ context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag,
) ([]bool, error) {
	key := change.Event.Key
	if key.Record != claim.Record {
		return nil, fmt.Errorf("the claim is of record %s, not of %s", claim.Record.ID, key.Record.ID)
	}
	var holders [][]byte
	look := func(tx *bbolt.Tx) (err error) {
		if !s.owns(claim) {
			return ledger.ErrFenced
		}
		holders, err = holdersOf(tx, flags)
		return err
	}
	own := eventKey(key)
	if err := s.view(look); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(holders, isFree) && len(change.Transitions) == 0 {
		return isOwn(holders, own), nil
	}
	err := s.update(func(tx *bbolt.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		if len(change.Transitions) > 0 {
			w, err := prepareChange(tx, change, nil)
			if err != nil {
				return err
			}
			if err := w.put(tx, s.now(), &s.commits.counts); err != nil {
				return err
			}
		}
		return bindFree(tx, flags, holders, own)
	})
	return isOwn(holders, own), err
}

// Holds implements [ledger.Store].
func (s *Store) Holds(_ context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	var holders [][]byte
	err := s.view(func(tx *bbolt.Tx) (err error) { holders, err = holdersOf(tx, flags); return err })
	return isOwn(holders, eventKey(key)), err
}

// HoldsMany implements [ledger.Store].
func (s *Store) HoldsMany(_ context.Context, of []ledger.Holding) ([]bool, error) {
	flags := make([]ledger.Flag, len(of))
	for i := range of {
		flags[i] = of[i].Flag
	}
	held := make([]bool, len(of))
	err := s.view(func(tx *bbolt.Tx) error {
		holders, err := holdersOf(tx, flags)
		for i, holder := range holders {
			held[i] = !isFree(holder) && bytes.Equal(holder, eventKey(of[i].Key))
		}
		return err
	})
	return held, err
}

// Bound implements [ledger.Store].
func (s *Store) Bound(_ context.Context, flags []ledger.Flag) ([]bool, error) {
	bound := make([]bool, len(flags))
	err := s.view(func(tx *bbolt.Tx) error {
		holders, err := holdersOf(tx, flags)
		for i, holder := range holders {
			bound[i] = !isFree(holder)
		}
		return err
	})
	return bound, err
}

func isOwn(holders [][]byte, event []byte) []bool {
	own := make([]bool, len(holders))
	for i, holder := range holders {
		own[i] = bytes.Equal(holder, event)
	}
	return own
}

// holdersOf returns the keys of the events that the flags are bound to; nil
// where there is none.
func holdersOf(tx *bbolt.Tx, flags []ledger.Flag) ([][]byte, error) {
	holders := make([][]byte, len(flags))
	bucket := tx.Bucket(flagsBucket)
	for i, flag := range flags {
		key := flagKey(flag)
		sealed := bucket.Get(key)
		if sealed == nil {
			continue
		}
		holder, ok := encoding.Unseal(key, sealed)
		if !ok {
			return nil, fmt.Errorf("%w: which event has %s of %s", errDamagedValue, flag.Name, flag.ID)
		}
		holders[i] = bytes.Clone(holder)
	}
	return holders, nil
}

func isFree(holder []byte) bool { return holder == nil }

// bindFree binds the flags without a holder to the event, and notes that in
// holders.
func bindFree(tx *bbolt.Tx, flags []ledger.Flag, holders [][]byte, event []byte) error {
	bucket := tx.Bucket(flagsBucket)
	for i, flag := range flags {
		if holders[i] != nil {
			continue
		}
		key := flagKey(flag)
		if err := bucket.Put(key, encoding.Seal(key, event)); err != nil {
			return err
		}
		holders[i] = event
	}
	return nil
}

func flagKey(f ledger.Flag) []byte {
	key := make([]byte, 0, 128)
	for _, part := range []string{f.Name, f.AppID, f.Type, f.ID} {
		key = appendPart(key, part)
	}
	return key
}
