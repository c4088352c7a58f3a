package move

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestMany moves a ledger of several batches, or of as many events as MOVE_EVENTS says,
// and prints how long it takes:
//
//	MOVE_EVENTS=1000000 go test -run TestMany -v -timeout 2h ./internal/move
func TestMany(t *testing.T) {
	n := 3000
	if text := os.Getenv("MOVE_EVENTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		check(t, err)
	}
	server := postgrestest.Start(t, "max_wal_size=1GB", "shared_buffers=128MB")
	w := &world{t: t, server: server, file: t.TempDir() + "/ledger.db", schema: "many"}
	w.opts.Print = func(format string, args ...any) { t.Logf(format, args...) }
	began := time.Now()
	w.fillMany(n)
	info, err := os.Stat(w.file)
	check(t, err)
	t.Logf("made in %s: %d MiB", time.Since(began).Round(time.Second), info.Size()>>20)
	var most uint64
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	})
	began = time.Now()
	w.moves()
	took := time.Since(began)
	close(stop)
	watch.Wait()
	t.Logf("%d events in %s, %.0f/s, with a heap of at most %d MiB", n, took.Round(time.Second), float64(n)/took.Seconds(), most>>20)
}

// fillMany makes events that are delivered, each third with an order and a flag.
func (w *world) fillMany(n int) {
	s := w.openBolt()
	at := time.Now()
	work := make(chan int)
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for i := range work {
				e := event(fmt.Sprintf("20260131%024d", i))
				e.ReceivedAt = at.Add(time.Duration(i) * time.Millisecond)
				e.Body = fmt.Appendf(nil, `{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":"order-%s","coinId":1280,"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`, e.ID, e.ID)
				c := ledger.Change{Event: e, Transitions: []ledger.Transition{
					{At: at, State: ledger.Received, Next: at}, {At: at, State: ledger.Delivering, Attempt: 1, Seq: 1}, {At: at, State: ledger.Delivered, Attempt: 1},
				}}
				if i%3 == 0 {
					c.Order = &ledger.Order{OrderID: e.InOrder(), Account: "default", OwnID: e.OrderID, State: "paid", Paid: "10", ReadAt: at}
				}
				check(w.t, s.Accept(bg, e.Key, func(*ledger.Event) *ledger.Change { return &c }))
				if i%3 == 0 {
					bind(w.t, s, e.Key, ledger.FulfillOf(e.AppID, e.GatewayOrderID))
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
	w.closes(s)
}
