package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Between limits a list to records created in a span of time; either end may
// be the zero time, for open. Seconds count.
type Between struct {
	StartAt time.Time
	EndAt   time.Time
}

func (b Between) write(p *params, most time.Duration) {
	p.span("startAt", "endAt", b.StartAt, b.EndAt, most)
}

// list walks through the pages of a list, of 20 records each. It ends with the
// first error.
func list[T any](ctx context.Context, c *Client, endpoint string, write func(*params)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		next, seen := "", map[string]bool{}
		for {
			p := c.params(endpoint)
			write(p)
			p.optionalPlain("nextId", next)
			var page struct {
				Records []json.RawMessage `json:"records"`
				NextID  string            `json:"nextId"`
			}
			if err := c.ask(ctx, p, "", &page); err != nil {
				yield(none, err)
				return
			}
			for _, raw := range page.Records {
				var record T
				err := decode(raw, &record)
				if err == nil {
					err = checkID(&record)
				}
				if err != nil {
					yield(none, &AnswerError{Endpoint: endpoint, Err: err})
					return
				}
				if !yield(record, nil) {
					return
				}
			}
			next = page.NextID
			switch {
			case next == "":
				return
			case seen[next]:
				yield(none, &AnswerError{Endpoint: endpoint, Err: errors.New("nextId leads back to a page that was read")})
				return
			}
			seen[next] = true
		}
	}
}

// Ref names a record by CCPayment's id or by ours: [ByRecord], [ByOrder].
type Ref struct{ recordID, orderID string }

// ByRecord names a record by the recordId that CCPayment gave it.
func ByRecord(recordID string) Ref { return Ref{recordID: recordID} }

// ByOrder names a record by the order id that the call which made it carried.
func ByOrder(orderID string) Ref { return Ref{orderID: orderID} }

func (r Ref) write(p *params) {
	if r.orderID == "" {
		p.plain("recordId", r.recordID)
		return
	}
	p.reference("orderId", r.orderID)
}

// record asks for the one record that the parameters name.
func record[T any](ctx context.Context, c *Client, endpoint string, write func(*params)) (T, error) {
	p := c.params(endpoint)
	write(p)
	var answer recordAnswer[T]
	err := c.ask(ctx, p, "", &answer)
	return answer.Record, err
}

type recordAnswer[T any] struct {
	Record T `json:"record"`
}

func (a *recordAnswer[T]) check() error { return checkID(&a.Record) }

// checkID refuses a record without an id: an empty object is no record.
func checkID(record any) error {
	if identified, ok := record.(interface{ id() string }); ok && identified.id() == "" {
		return errors.New("it has no record")
	}
	return nil
}

// recordID is the answer of every call that moves money.
type recordIDAnswer struct {
	RecordID string `json:"recordId"`
}

func (a *recordIDAnswer) check() error {
	if a.RecordID == "" {
		return errors.New("it has no recordId")
	}
	return nil
}

// create makes a call that moves money and is known by its order id.
func (c *Client) create(ctx context.Context, p *params, orderID string) (recordID string, err error) {
	var answer recordIDAnswer
	err = c.ask(ctx, p, orderID, &answer)
	return answer.RecordID, err
}
