package postgres

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

const (
	// readOrdersSQL reads the clock, too, by which what was read of orders is merged.
	readOrdersSQL = `with ` + clockSQL + ` select clock.now, o.id, o.version, o.data from clock left join ledger.orders o on o.id = any($2)`
	versionsSQL   = `select id, version from ledger.orders where id = any($1)`
	takenSomeSQL  = `select exists (select 1 from ledger.generations where id = any($1) and order_id <> $2)`
	orderOfSQL    = `select id, data from ledger.orders where id = coalesce((select order_id from ledger.generations where id = $1), $1)`
	endingSQL     = `select id, data from ledger.orders where ends <= $1 order by ends, id limit $2 offset $3`
	ordersSQL     = `select place, id, data from ledger.orders where place > $1 order by place limit $2`
)

// LoadOrder implements [ledger.Store]. It waits until the order is durable, because a
// buyer is sent to pay it.
func (s *Store) LoadOrder(ctx context.Context, id ledger.OrderID) (ledger.Order, error) {
	at := orderID(id)
	found, err := s.readOrders("LoadOrder", digests{at})
	if err != nil {
		return ledger.Order{}, err
	}
	if found.orders[at] == nil {
		return ledger.Order{}, ledger.ErrNotFound
	}
	return found.orders[at].order, s.Sync(ctx)
}

// OrderVersions implements [ledger.OrderVersions].
func (s *Store) OrderVersions(ctx context.Context, ids []ledger.OrderID) ([]uint64, error) {
	keys := make(digests, len(ids))
	for i, id := range ids {
		keys[i] = orderID(id)
	}
	return call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]uint64, error) {
		s.count("OrderVersions")
		found, err := conn.Query(ctx, s.sql.versions, keys)
		if err != nil {
			return nil, err
		}
		known := make(map[digest]uint64, len(keys))
		var id digest
		var version uint64
		_, err = pgx.ForEachRow(found, []any{&id, &version}, func() error {
			known[id] = version
			return nil
		})
		versions := make([]uint64, len(keys))
		for i, id := range keys {
			versions[i] = known[id]
		}
		return versions, err
	})
}

// OrderOf implements [ledger.Store].
func (s *Store) OrderOf(_ context.Context, id ledger.OrderID) (ledger.Order, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (ledger.Order, error) {
		s.count("OrderOf")
		var at digest
		var data []byte
		err := conn.QueryRow(ctx, s.sql.orderOf, orderID(id)).Scan(&at, &data)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.Order{}, ledger.ErrNotFound
		}
		if err != nil {
			return ledger.Order{}, err
		}
		order, err := encoding.DecodeOrder(at[:], data)
		if err != nil {
			err = undecoded(err, "the order of %s", id.ID)
		}
		return order, err
	})
}

// UpdateOrder implements [ledger.Store].
func (s *Store) UpdateOrder(_ context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	at := orderID(id)
	for began := time.Now(); time.Since(began) < s.patience; {
		found, err := s.readOrders("UpdateOrder", digests{at})
		if err != nil {
			return err
		}
		o := found.orders[at]
		if o == nil {
			o = new(order)
		}
		known := o.order.GatewayIDs()
		update(&o.order)
		w, err := encodeOrder(at, o)
		if err != nil {
			return s.explain(err)
		}
		w.place = placeOf(id)
		for _, made := range o.order.GatewayIDs() {
			if !slices.Contains(known, made) {
				known = append(known, made)
				w.generations = append(w.generations, orderID(made))
			}
		}
		out, err := s.write(change{method: "UpdateOrder", orders: []orderWrite{w}})
		if err != nil || out.written {
			return err
		}
		if isTaken, err := s.isTaken(w); err != nil || isTaken {
			return cmp.Or(err, ledger.ErrTaken)
		}
	}
	return s.explain(errStuck)
}

// Ending implements [ledger.Store].
func (s *Store) Ending(_ context.Context, until time.Time, limit int) ([]ledger.Order, error) {
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) ([]ledger.Order, error) {
		s.count("Ending")
		var orders []ledger.Order
		for offset := 0; ; offset += limit { // past those that cannot be read
			found, err := conn.Query(ctx, s.sql.ending, nanos(until), limit, offset)
			if err != nil {
				return nil, err
			}
			var at digest
			var data []byte
			rows := 0
			_, err = pgx.ForEachRow(found, []any{&at, &data}, func() error {
				rows++
				if order, err := encoding.DecodeOrder(at[:], data); err == nil && len(orders) < limit {
					orders = append(orders, order)
				}
				return nil
			})
			if err != nil || rows < limit || len(orders) == limit {
				return orders, err
			}
		}
	})
}

// isTaken reports whether an order at the gateway that the write adds is another order's.
func (s *Store) isTaken(w orderWrite) (bool, error) {
	if len(w.generations) == 0 {
		return false, nil
	}
	return call(context.Background(), s, reads, func(ctx context.Context, conn *pgx.Conn) (isTaken bool, err error) {
		s.count("UpdateOrder")
		err = conn.QueryRow(ctx, s.sql.takenSome, w.generations, w.id).Scan(&isTaken)
		return isTaken, err
	})
}

// pageSize is how many rows of a list are read at a time.
const pageSize = 200

// Orders implements [ledger.Store]. A cursor is the place of a page's last order.
func (s *Store) Orders(ctx context.Context, query ledger.OrderQuery) (ledger.OrderPage, error) {
	var page ledger.OrderPage
	after, err := hex.DecodeString(query.Cursor)
	if err != nil {
		return page, ledger.ErrCursor
	}
	type placed struct {
		place []byte
		id    digest
		data  []byte
	}
	var last []byte
	for {
		list, err := call(ctx, s, reads, func(ctx context.Context, conn *pgx.Conn) ([]placed, error) {
			s.count("Orders")
			batch := newBatch()
			batch.Queue(s.sql.orders, after, pageSize)
			results, err := send(ctx, conn, batch)
			if err != nil {
				return nil, err
			}
			defer results.Close()
			found, err := results.Query()
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(found, func(row pgx.CollectableRow) (p placed, err error) {
				err = row.Scan(&p.place, &p.id, &p.data)
				return p, err
			})
		})
		if err != nil {
			return page, err
		}
		for _, p := range list {
			order, err := encoding.DecodeOrder(p.id[:], p.data)
			if err == nil && !query.Matches(order) {
				continue
			}
			if len(page.Orders)+len(page.Damaged) == query.Limit {
				page.Next = hex.EncodeToString(last)
				return page, nil
			}
			if last = p.place; err != nil {
				page.Damaged = append(page.Damaged, s.explain(undecoded(err, "the order with the key %x", p.id[:])))
				continue
			}
			page.Orders = append(page.Orders, order)
		}
		if len(list) < pageSize {
			return page, nil
		}
		after = list[len(list)-1].place
	}
}
