package coinpayments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient"
)

// mostItems is how many records a page has at most.
const mostItems = 100

// ListOption says how a list is walked through.
type ListOption = apiclient.ListOption

// BeforePage has turn called before each page is asked for, to pace a long list. An error of
// turn ends the list with it.
func BeforePage(turn func(context.Context) error) ListOption { return apiclient.BeforePage(turn) }

// pages walks through a list and yields each record once. It ends with the first
// error. With a cursor it goes on while the answers have one; else it skips what it
// has, until nothing more comes.
type pages[T any] struct {
	client *Client
	route  Route
	write  func(*params)
	// limit is how many records to ask for; 0: the route has no such parameter.
	limit int
	// skip: the route has skip and take instead of after and limit.
	skip bool
	// first is how many records are left out at the beginning, of a route with skip.
	first int
	// id names a record; nil where records have no id.
	id func(T) string
	// atOnce: a page that brings nothing new is the last.
	atOnce bool
}

func (l pages[T]) all(ctx context.Context, options ...ListOption) iter.Seq2[T, error] {
	walk := apiclient.WalkOf(options)
	return func(yield func(T, error) bool) {
		var none T
		seen, cursors, after, taken, stale := map[string]bool{}, map[string]bool{}, "", l.first, 0
		for {
			p := l.client.params(l.route)
			l.write(p)
			l.turn(p, after, taken)
			var page page
			err := walk.Turn(ctx)
			if err == nil {
				err = l.client.ask(ctx, p, &page.all)
			}
			if err != nil {
				yield(none, err)
				return
			}
			fresh := false
			err = page.open()
			for i := 0; err == nil && i < len(page.records); i++ {
				var record T
				if err = decode(page.records[i], &record); err != nil {
					break
				}
				if l.id != nil {
					id := l.id(record)
					if id == "" {
						err = errNoID
						break
					}
					if seen[id] {
						continue // records that came meanwhile have moved it to this page
					}
					seen[id] = true
				}
				fresh = true
				if !yield(record, nil) {
					return
				}
			}
			taken += len(page.records)
			if stale++; fresh {
				stale = 0
			}
			var more bool
			if err == nil {
				more, err = l.more(page, cursors[page.after], stale)
			}
			if err != nil {
				yield(none, &AnswerError{Route: l.route.String(), Err: err})
			}
			if err != nil || !more {
				return
			}
			after = page.after
			cursors[after] = true
		}
	}
}

var errNoID = errors.New("a record has no id")

func (l pages[T]) turn(p *params, after string, taken int) {
	switch {
	case l.skip:
		p.ask("skip", strconv.Itoa(taken))
		p.ask("take", strconv.Itoa(l.limit))
	default:
		p.ask("after", after)
		if l.limit > 0 {
			p.ask("limit", strconv.Itoa(l.limit))
		}
	}
}

// more reports whether another page follows. Stale is how many pages in a row brought
// nothing new; one may, where records came meanwhile and moved others to it.
func (l pages[T]) more(page page, again bool, stale int) (bool, error) {
	circle := stale > 1 && l.id != nil
	switch {
	case len(page.records) == 0 && (l.skip || page.after == ""), l.atOnce && stale > 0:
		return false, nil
	case circle || page.after != "" && again:
		return false, errors.New("the pages lead in a circle")
	case l.skip:
		return true, nil
	case page.after == "" && !page.paged && l.limit > 0 && len(page.records) >= l.limit:
		return false, errors.New("a full page does not say whether another follows: ask for less at once, by time or by words")
	default:
		return page.after != "", nil
	}
}

// page is one answer to a list: {"items": …, "paging": …}, a list of such, or a bare
// list of records. The reference has all three.
type page struct {
	all     json.RawMessage
	records []json.RawMessage
	after   string
	paged   bool // it says what follows
}

func (p *page) open() error {
	switch {
	case len(p.all) == 0:
		return checkList(false)
	case isObject(p.all):
		return p.add(p.all)
	}
	records, err := apiclient.Items(p.all)
	if err != nil {
		return err
	}
	for _, record := range records {
		var inner struct {
			ID    string          `json:"id"`
			Items json.RawMessage `json:"items"`
		}
		if isObject(record) && decode(record, &inner) == nil && inner.ID == "" && len(inner.Items) > 0 {
			if err := p.add(record); err != nil {
				return err
			}
			continue
		}
		p.records = append(p.records, record)
	}
	return nil
}

func (p *page) add(object json.RawMessage) error {
	var inner struct {
		Items  []json.RawMessage `json:"items"`
		Paging *Paging           `json:"paging"`
	}
	if err := decode(object, &inner); err != nil {
		return err
	}
	if inner.Items == nil {
		return errors.New("it has no list")
	}
	p.records = append(p.records, inner.Items...)
	if inner.Paging != nil {
		p.paged = true
		p.after = inner.Paging.next()
	}
	return nil
}

// Paging says where in a list an answer stands.
type Paging struct {
	Cursor struct {
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"cursor" also:"cursors"`
	Limit    int    `json:"limit"`
	First    string `json:"first"`
	Next     string `json:"next"`
	Previous string `json:"previous"`
	Last     string `json:"last"`
}

// next is the cursor of the next page; empty: there is none.
func (p *Paging) next() string {
	if p.Cursor.After != "" || p.Next == "" {
		return p.Cursor.After
	}
	u, err := url.Parse(p.Next)
	if err != nil {
		return ""
	}
	return u.Query().Get("after")
}

// checkList returns an error for a response without its list, which is not an empty list.
func checkList(there bool) error {
	if !there {
		return errors.New("it has no list")
	}
	return nil
}

// checkID refuses a record that is not the one asked for.
func checkID(got, asked string) error {
	switch {
	case got == "":
		return errNoID
	case !SameID(got, asked):
		return fmt.Errorf("it is about %.60q", got)
	}
	return nil
}

// collect reads a list to its end. Some routes give the whole whatever they are asked for:
// there a page that brings nothing new is the end.
func collect[T any](ctx context.Context, l pages[T]) ([]T, error) {
	l.atOnce = true
	records := []T{}
	for record, err := range l.all(ctx) {
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// count makes a call whose answer is a number.
func (c *Client) count(ctx context.Context, p *params) (int, error) {
	var answer json.RawMessage
	if err := c.ask(ctx, p, &answer); err != nil {
		return 0, err
	}
	var inner struct {
		Count *int `json:"count"`
	}
	var err error
	if isObject(answer) {
		err = decode(answer, &inner)
	} else {
		err = decode(answer, &inner.Count)
	}
	if err == nil && (inner.Count == nil || *inner.Count < 0) {
		err = errors.New("it has no count")
	}
	if err != nil {
		return 0, &AnswerError{Route: p.route.String(), Err: err}
	}
	return *inner.Count, nil
}
