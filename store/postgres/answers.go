package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// What the app answered stands among the bodies, each answer under an id of its own, with
// the record and the time of its event: so older versions, which know nothing of answers,
// run on the same schema. A body is an event's where it has the event's id.
const answersSQL = `select id, body from ledger.bodies where id = any($1)`

func answerID(event digest, slot int) digest {
	return digestOf("answer", string(event[:]), strconv.Itoa(slot))
}

// Answers implements [ledger.Store].
func (s *Store) Answers(ctx context.Context, key ledger.Key) ([]ledger.Answer, error) {
	event := eventID(key)
	ids := make(digests, 0, ledger.MostAnswers)
	for slot := range ledger.MostAnswers {
		ids = append(ids, answerID(event, slot))
	}
	answers, err := call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]ledger.Answer, error) {
		s.count("Answers")
		found, err := conn.Query(ctx, s.sql.answers, ids)
		if err != nil {
			return nil, err
		}
		var answers []ledger.Answer
		var id digest
		var sealed []byte
		_, err = pgx.ForEachRow(found, []any{&id, &sealed}, func() error {
			if answer, err := encoding.DecodeAnswer(id[:], sealed); err == nil {
				answers = append(answers, answer)
			}
			return nil
		})
		return answers, err
	})
	if err == nil && len(answers) == 0 {
		var known *row
		if known, err = s.readEvent("Answers", key); err == nil && known == nil {
			err = ledger.ErrNotFound
		}
	}
	slices.SortFunc(answers, func(a, b ledger.Answer) int { return cmp.Compare(a.Attempt, b.Attempt) })
	return answers, err
}
