package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func lookKey(appID string) []byte { return appendPart(nil, appID) }

// LoadLook implements [ledger.Store].
func (s *Store) LoadLook(_ context.Context, appID string) (look ledger.Look, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		var value []byte
		key, bucket := lookKey(appID), tx.Bucket(looksBucket)
		if bucket != nil {
			value = bucket.Get(key)
		}
		if value == nil {
			return ledger.ErrNotFound
		}
		part := lookPart(tx, key, value)
		look = part.Look
		return part.Err
	})
	return look, err
}

// SaveLook implements [ledger.Store].
func (s *Store) SaveLook(_ context.Context, look ledger.Look) error {
	key := lookKey(look.AppID)
	value, err := encoding.EncodeLook(key, look)
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(looksBucket)
		if err != nil {
			return err
		}
		return bucket.Put(key, value)
	})
}

func lookPart(_ *bbolt.Tx, key, value []byte) ledger.Part {
	part := ledger.Part{Kind: ledger.LookPart}
	var err error
	if part.Look, err = encoding.DecodeLook(key, value); err != nil {
		part.Err = fmt.Errorf("%w: how far the records of %s were compared", errDamagedValue, nameOf(key))
	}
	return part
}
