package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// A Reset while webhooks are on their way ends them, and leaves a sandbox that
// works.
func TestResetDuringDeliveries(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(entered) })
		<-release
		_, _ = io.WriteString(w, "Success")
	}))
	t.Cleanup(receiver.Close)
	w := start(t)
	if err := w.SetWebhookURL(receiver.URL); err != nil {
		t.Fatal(err)
	}
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"5","priceFiatId":"1033"}`)
	if _, err := w.Pay(t.Context(), sandbox.Payment{OrderID: "inv-1", Instant: true}); err != nil {
		t.Fatal(err)
	}
	<-entered // the Processing is on its way, and the Success waits for it
	w.Reset()
	close(release)

	ended := make(chan struct{})
	go func() {
		w.Advance(time.Second)
		w.Reset()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("Advance and Reset wait for webhooks that were forgotten")
	}
	if log := w.Deliveries(); len(log) != 0 {
		t.Errorf("after a Reset the log holds %+v", log)
	}
}
