package worlds

import (
	"context"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/simstore"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// lone has a store that nobody shares stand where one is that is shared. What only that can do
// is hidden again by [simstore.Alone].
type lone struct{ *bolt.Store }

func (lone) Keep(context.Context, ledger.Session, []uint64) (ledger.News, error) {
	return ledger.News{}, ledger.ErrUnsupported
}

func (lone) Take(context.Context, string, time.Duration, int) ([]ledger.Taken, error) {
	return nil, ledger.ErrUnsupported
}

func (lone) Spend(context.Context, string, time.Duration, int) (time.Duration, error) {
	return 0, ledger.ErrUnsupported
}

func (lone) Sync(context.Context) error { return ledger.ErrUnsupported }
func (lone) Wake(ledger.Hint)           {}
func (lone) OnWake(func(ledger.Hint))   {}

// openFile opens the process's file, once the life before has closed it; nil: it lives again
// already, or the world has ended.
func (p *process) openFile() *bolt.Store {
	for p.current() == nil && p.since() < ends {
		store, err := bolt.Open(p.file, bolt.Options{Now: p.now})
		if err == nil {
			return store
		}
		p.log("%s cannot open its file yet: %v", p.name, err)
		time.Sleep(time.Second)
	}
	return nil
}

// readFile has the judge see what is in the file.
func (w *world) readFile() error {
	ctx := context.Background()
	store, err := bolt.Open(w.file, bolt.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer store.Close()
	for cursor := "-"; cursor != ""; {
		page, err := store.List(ctx, ledger.Query{Limit: 1000, Cursor: cursor[1:]})
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			w.database.Events[e.Key] = e
			for _, t := range e.Transitions {
				if t.Reason == ledger.Replay || t.Reason == ledger.Release {
					w.database.Replays = append(w.database.Replays, simstore.Replay{Key: e.Key, At: t.At})
				}
			}
		}
		if cursor = page.Next; cursor != "" {
			cursor = "-" + cursor
		}
	}
	page, err := store.Orders(ctx, ledger.OrderQuery{AnyAccount: true, Limit: 1000})
	for _, o := range page.Orders {
		w.database.Orders[o.OrderID] = o
	}
	return err
}
