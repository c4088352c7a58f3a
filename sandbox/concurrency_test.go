package sandbox_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func TestManyAtOnce(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Speed = 1000 })
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 10 {
				id := fmt.Sprintf("inv-%d-%d", worker, i)
				w.call("createInvoiceUrl", `{"orderId":"`+id+`","price":"10","priceFiatId":"1033"}`)
				w.Pay(t.Context(), sandbox.Payment{OrderID: id, Wait: 10 * time.Second})
				w.call("getInvoiceOrderInfo", `{"orderId":"`+id+`"}`)
				w.call("getAppDepositRecordList", ``)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			w.Advance(time.Second)
			w.Deliveries()
		}
	})
	wg.Wait()
	// 80 payments of 9.999001 USDT, less the fee of 0.049996 (rounded up).
	if got := w.balance(1280); got != "795.9204" {
		t.Errorf("balance %s", got)
	}
	if got := len(w.receiver.got()); got != 160 {
		t.Errorf("%d webhooks", got)
	}
}

// Of many calls with one order id exactly one makes the order.
func TestOneOrderIsMadeOnce(t *testing.T) {
	w := start(t)
	var wg sync.WaitGroup
	codes := make(chan int, 20)
	for range cap(codes) {
		wg.Go(func() {
			codes <- w.call("createInvoiceUrl", `{"orderId":"inv-1","price":"10","priceFiatId":"1033"}`).Code
		})
	}
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if count[10000] != 1 || count[11011] != 19 {
		t.Errorf("%v", count)
	}
}

// A receiver that hangs holds back neither other webhooks nor Close.
func TestHangingReceiver(t *testing.T) {
	w := start(t)
	w.receiver.blocked = make(chan struct{})
	w.invoice("inv-1")
	w.invoice("inv-2")
	for _, id := range []string{"inv-1", "inv-2"} {
		if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: id}); err != nil {
			t.Fatal(err)
		}
	}
	processtest.Until(t, "both webhooks", func() bool { return len(w.receiver.got()) == 2 })
	w.Close()
	close(w.receiver.blocked)
	if n := len(w.Deliveries()); n != 0 {
		t.Errorf("%d deliveries were counted that Close cut off", n)
	}
}
