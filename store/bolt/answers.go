package bolt

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// answersBucket has what the app answered, each under the key of its event's body and its
// slot, so that it is deleted with the body. The bucket is made with the first of them.
var answersBucket = []byte("answers")

func answerKey(bodyKey []byte, slot int) []byte { return append(bytes.Clone(bodyKey), byte(slot)) }

// putAnswer writes an answer, sealed, under its key; nil: there is none.
func putAnswer(tx *bbolt.Tx, key, value []byte) error {
	if key == nil {
		return nil
	}
	bucket, err := tx.CreateBucketIfNotExists(answersBucket)
	if err != nil {
		return err
	}
	return bucket.Put(key, value)
}

// Answers implements [ledger.Store].
func (s *Store) Answers(_ context.Context, key ledger.Key) ([]ledger.Answer, error) {
	var answers []ledger.Answer
	err := s.view(func(tx *bbolt.Tx) error {
		answers = nil
		event, err := readEvent(tx, key)
		if err != nil {
			return err
		}
		eachAnswer(tx, bodyKey(event.ReceivedAt, eventKey(key)), func(k, v []byte) {
			if answer, err := encoding.DecodeAnswer(k, v); err == nil {
				answers = append(answers, answer)
			}
		})
		return nil
	})
	slices.SortFunc(answers, func(a, b ledger.Answer) int { return cmp.Compare(a.Attempt, b.Attempt) })
	return answers, err
}

func eachAnswer(tx *bbolt.Tx, bodyKey []byte, do func(key, value []byte)) {
	bucket := tx.Bucket(answersBucket)
	if bucket == nil {
		return
	}
	cursor := bucket.Cursor()
	for k, v := cursor.Seek(bodyKey); bytes.HasPrefix(k, bodyKey); k, v = cursor.Next() {
		do(k, v)
	}
}

// deleteAnswers deletes what the app answered to an event.
func deleteAnswers(tx *bbolt.Tx, bodyKey []byte) error {
	var keys [][]byte
	eachAnswer(tx, bodyKey, func(k, _ []byte) { keys = append(keys, bytes.Clone(k)) })
	for _, k := range keys {
		if err := tx.Bucket(answersBucket).Delete(k); err != nil {
			return err
		}
	}
	return nil
}
