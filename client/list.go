package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
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

// ListOption says how a list is walked through.
type ListOption = apiclient.ListOption

// BeforePage has turn called before each page is asked for, to pace a long list. An error of
// turn ends the list with it.
func BeforePage(turn func(context.Context) error) ListOption { return apiclient.BeforePage(turn) }

// list walks through the pages of a list, of 20 records each where nothing else is
// asked for, and yields each record once. It ends with the first error.
func list[T identified](ctx context.Context, c *Client, endpoint string, write func(*params), options ...ListOption) iter.Seq2[T, error] {
	walk := apiclient.WalkOf(options)
	return func(yield func(T, error) bool) {
		var none T
		next, seen, pages := "", map[string]bool{}, map[string]bool{}
		for {
			p := c.params(endpoint)
			write(p)
			p.optionalPlain("nextId", next)
			var page pageAnswer
			err := walk.Turn(ctx)
			if err == nil {
				err = c.ask(ctx, p, "", &page)
			}
			if err != nil {
				yield(none, err)
				return
			}
			fresh := false
			records := slices.Concat(page.Records, page.List)
			for _, raw := range records {
				var record T
				err := decode(raw, &record)
				id := record.ref().recordID
				if err == nil && id == "" {
					err = errNoRecord
				}
				if err != nil {
					yield(none, &AnswerError{Endpoint: endpoint, Err: err})
					return
				}
				if seen[id] {
					continue // records that came meanwhile have moved it to this page
				}
				seen[id], fresh = true, true
				if !yield(record, nil) {
					return
				}
			}
			next = page.NextID
			switch {
			case next == "":
				return
			case pages[next] || !fresh && len(records) > 0:
				yield(none, &AnswerError{Endpoint: endpoint, Err: errors.New("nextId leads in a circle")})
				return
			}
			pages[next] = true
		}
	}
}

type pageAnswer struct {
	Records []json.RawMessage `json:"records"`
	List    []json.RawMessage `json:"list"` // instead of Records, of aggregation fees
	NextID  string            `json:"nextId"`
}

func (a *pageAnswer) check() error { return checkList(a.Records != nil || a.List != nil) }

// Ref names a record by CCPayment's id or by ours: [ByRecord], [ByOrder].
type Ref struct{ recordID, orderID string }

// ByRecord names a record by the recordId that CCPayment gave it.
func ByRecord(recordID string) Ref { return Ref{recordID: recordID} }

// ByOrder names a record by the order id of the call that made it.
func ByOrder(orderID string) Ref { return Ref{orderID: orderID} }

func (r Ref) write(p *params) {
	if r.orderID == "" {
		p.plain("recordId", r.recordID)
		return
	}
	p.reference("orderId", r.orderID)
}

// record asks for the one record that ref names.
func record[T identified](ctx context.Context, c *Client, endpoint string, ref Ref) (T, error) {
	p := c.params(endpoint)
	ref.write(p)
	answer := recordAnswer[T]{asked: ref}
	err := c.ask(ctx, p, "", &answer)
	return answer.Record, err
}

// identified is a record that returns a reference to itself.
type identified interface{ ref() Ref }

type recordAnswer[T identified] struct {
	asked  Ref
	Record T `json:"record"`
}

// check refuses a record that is not the one asked for.
func (a *recordAnswer[T]) check() error {
	got := a.Record.ref()
	switch {
	case got.recordID == "":
		return errNoRecord
	case a.asked.recordID != "" && got.recordID != a.asked.recordID:
		return fmt.Errorf("it is about record %.60q", got.recordID)
	case a.asked.orderID != "" && got.orderID != "" && got.orderID != a.asked.orderID:
		return fmt.Errorf("it is about order %.60q", got.orderID)
	}
	return nil
}

var errNoRecord = errors.New("it has no record")

// recordIDAnswer is the data in the response to every call that moves money.
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
