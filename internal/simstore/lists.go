package simstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// copiedOrder shares nothing that changes with the order.
func copiedOrder(o ledger.Order) ledger.Order {
	if o.Checkout != nil {
		checkout := *o.Checkout
		checkout.Generations = slices.Clone(checkout.Generations)
		o.Checkout = &checkout
	}
	if o.Closed != nil {
		closed := *o.Closed
		o.Closed = &closed
	}
	o.Payments, o.Released, o.Events, o.Steps = slices.Clone(o.Payments), slices.Clone(o.Released), slices.Clone(o.Events), slices.Clone(o.Steps)
	return o
}

// LoadOrder implements [ledger.Reader].
func (c *Connection) LoadOrder(_ context.Context, id ledger.OrderID) (ledger.Order, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.Order{}, err
	}
	defer end()
	return c.order(id)
}

func (d *Database) order(id ledger.OrderID) (ledger.Order, error) {
	o, ok := d.Orders[id]
	if !ok {
		return o, ledger.ErrNotFound
	}
	return copiedOrder(o), nil
}

// OrderOf implements [ledger.Reader].
func (c *Connection) OrderOf(_ context.Context, id ledger.OrderID) (ledger.Order, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.Order{}, err
	}
	defer end()
	if of, ok := c.taken[id]; ok {
		id = of
	}
	return c.order(id)
}

// UpdateOrder implements [ledger.Store].
func (c *Connection) UpdateOrder(_ context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	end, err := c.begin()
	if err != nil {
		return err
	}
	defer end()
	o := copiedOrder(c.Database.Orders[id])
	update(&o)
	made := o.GatewayIDs()
	for _, at := range made {
		if of, is := c.taken[at]; is && of != id {
			return ledger.ErrTaken
		}
	}
	for _, at := range made {
		c.taken[at] = id
	}
	c.Database.Orders[id] = copiedOrder(o)
	return nil
}

// sorted returns the orders by app id and id.
func (d *Database) sorted() []ledger.OrderID {
	return slices.SortedFunc(maps.Keys(d.Orders), compareIDs)
}

func compareIDs(a, b ledger.OrderID) int {
	return cmp.Or(strings.Compare(a.AppID, b.AppID), strings.Compare(a.ID, b.ID))
}

// Orders implements [ledger.Reader]. A cursor is a page's last order.
func (c *Connection) Orders(_ context.Context, query ledger.OrderQuery) (page ledger.OrderPage, err error) {
	end, err := c.begin()
	if err != nil {
		return page, err
	}
	defer end()
	after, hasAfter, err := readCursor(query.Cursor)
	if err != nil {
		return page, err
	}
	for _, id := range c.sorted() {
		o := c.Database.Orders[id]
		if hasAfter && compareIDs(id, after) <= 0 || !query.Matches(o) {
			continue
		}
		if len(page.Orders) == query.Limit {
			last := page.Orders[len(page.Orders)-1]
			page.Next = strconv.Quote(last.AppID) + "," + strconv.Quote(last.OrderID.ID)
			break
		}
		page.Orders = append(page.Orders, copiedOrder(o))
	}
	return page, nil
}

// readCursor reads the order that a page of orders comes after.
func readCursor(cursor string) (after ledger.OrderID, isSet bool, err error) {
	if cursor == "" {
		return after, false, nil
	}
	app, err := strconv.QuotedPrefix(cursor)
	if err != nil || len(app) == len(cursor) {
		return after, false, ledger.ErrCursor
	}
	if after.AppID, err = strconv.Unquote(app); err == nil {
		after.ID, err = strconv.Unquote(cursor[len(app)+1:])
	}
	if err != nil {
		return after, false, ledger.ErrCursor
	}
	return after, true, nil
}

// Ending implements [ledger.Reader].
func (c *Connection) Ending(_ context.Context, until time.Time, limit int) (orders []ledger.Order, err error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	for _, id := range c.sorted() {
		o := c.Database.Orders[id]
		if o.Checkout != nil && !o.Checkout.EndAt.IsZero() && !o.Checkout.EndAt.After(until) {
			orders = append(orders, copiedOrder(o))
		}
	}
	slices.SortStableFunc(orders, func(a, b ledger.Order) int { return a.Checkout.EndAt.Compare(b.Checkout.EndAt) })
	return orders[:min(len(orders), limit)], nil
}

// LoadLook implements [ledger.Reader].
func (c *Connection) LoadLook(_ context.Context, appID string) (ledger.Look, error) {
	end, err := c.begin()
	if err != nil {
		return ledger.Look{}, err
	}
	defer end()
	look, ok := c.Looks[appID]
	if !ok {
		return look, ledger.ErrNotFound
	}
	look.Waiting = slices.Clone(look.Waiting)
	return look, nil
}

// SaveLook implements [ledger.Store].
func (c *Connection) SaveLook(_ context.Context, look ledger.Look) error {
	end, err := c.begin()
	if err != nil {
		return err
	}
	defer end()
	look.Waiting = slices.Clone(look.Waiting)
	c.Looks[look.AppID] = look
	return nil
}

// Find implements [ledger.Reader].
func (c *Connection) Find(_ context.Context, eventID string) (keys []ledger.Key, err error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	for key := range c.Events {
		if strings.EqualFold(key.EventID(), eventID) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b ledger.Key) int { return cmp.Compare(a.Route, b.Route) })
	return keys, nil
}

// List implements [ledger.Reader]. A cursor is the time and id of a page's last event.
func (c *Connection) List(_ context.Context, query ledger.Query) (page ledger.Page, err error) {
	end, err := c.begin()
	if err != nil {
		return page, err
	}
	defer end()
	keys := slices.SortedFunc(maps.Keys(c.Events), func(a, b ledger.Key) int {
		if order := c.Events[b].ReceivedAt.Compare(c.Events[a].ReceivedAt); order != 0 {
			return order
		}
		return strings.Compare(placeOf(b), placeOf(a))
	})
	nanos, id, isSet := strings.Cut(query.Cursor, " ")
	n, err := strconv.ParseInt(nanos, 10, 64)
	if query.Cursor != "" && (err != nil || !isSet) {
		return page, ledger.ErrCursor
	}
	after, looked, last := time.Unix(0, n), 0, ""
	for _, key := range keys {
		e := c.Events[key]
		isBefore := isSet && (e.ReceivedAt.After(after) || e.ReceivedAt.Equal(after) && placeOf(key) >= id)
		isOutside := !query.Since.IsZero() && e.ReceivedAt.Before(query.Since) || !query.Until.IsZero() && !e.ReceivedAt.Before(query.Until)
		if isBefore || isOutside {
			continue
		}
		matches := query.Matches(e)
		if matches && len(page.Events) == query.Limit || query.Most > 0 && looked >= query.Most {
			page.Next = last
			break
		}
		looked++
		last = strconv.FormatInt(e.ReceivedAt.UnixNano(), 10) + " " + placeOf(key)
		if matches {
			e = copied(e)
			e.Body = nil
			page.Events = append(page.Events, e)
		}
	}
	return page, nil
}

// placeOf is the place of an event among those of one time.
func placeOf(k ledger.Key) string { return k.Route + k.EventID() }

// Counts implements [ledger.Reader].
func (c *Connection) Counts(context.Context) (counts []ledger.Count, err error) {
	end, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	for key, e := range c.Events {
		i := slices.IndexFunc(counts, func(n ledger.Count) bool { return n.Route == key.Route && n.State == e.State })
		if i < 0 {
			counts, i = append(counts, ledger.Count{Route: key.Route, State: e.State}), len(counts)
		}
		counts[i].N++
	}
	slices.SortFunc(counts, func(a, b ledger.Count) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.State, b.State))
	})
	return counts, nil
}
