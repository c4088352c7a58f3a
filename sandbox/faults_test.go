package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func (w *world) fault(body string) {
	w.t.Helper()
	if code, answer := w.control("POST", "/sandbox/faults", body); code != http.StatusOK {
		w.t.Fatalf("%s: %s", body, answer.Text("error"))
	}
}

func TestCase29_EveryCodeCanBeHad(t *testing.T) {
	w := start(t)
	if n := len(sandbox.Codes()); n < 55 {
		t.Errorf("only %d codes", n)
	}
	for _, code := range sandbox.Codes() {
		if code == 10000 {
			continue
		}
		w.fault(fmt.Sprintf(`{"endpoint":"getCoinList","code":%d}`, code))
		if got := w.call("getCoinList", ""); got.Code != code || got.Msg == "" || got.HTTP != http.StatusOK {
			t.Errorf("%d: %+v", code, got)
		}
	}
	w.ok("getCoinList", "")
}

func TestFaultsStrikeAsOftenAsTold(t *testing.T) {
	w := start(t)
	w.fault(`{"endpoint":"getCoinList","code":11004,"times":2}`)
	w.fault(`{"endpoint":"*","code":11002,"times":-1}`)
	for i, want := range []int{11004, 11004, 11002, 11002, 11002} {
		if got := w.call("getCoinList", ""); got.Code != want {
			t.Errorf("call %d: %d, want %d", i, got.Code, want)
		}
	}
	_, list := w.control("GET", "/sandbox/faults", "")
	if got := list.Text("0.endpoint") + list.Text("0.times") + list.Text("1"); got != `"*"-1null` {
		t.Errorf("list: %s", got)
	}
	w.control("DELETE", "/sandbox/faults", "")
	w.ok("getCoinList", "")
}

func TestFaultOfHTTP(t *testing.T) {
	w := start(t)
	w.fault(`{"endpoint":"createInvoiceUrl","http_status":502}`)
	resp, err := w.client.Do(w.signed("createInvoiceUrl", `{"orderId":"inv-1","price":"1","priceFiatId":1033}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
	check(t, w, "getInvoiceOrderInfo", []rule{{"nothing was done", `{"orderId":"inv-1"}`, 11003, ""}})
}

func TestFaultOfTheConnection(t *testing.T) {
	w := start(t)
	for drop, code := range map[string]int{`"before"`: 11003, `"after"`: 10000, `true`: 10000} {
		id := fmt.Sprintf("inv-%x", drop)
		w.fault(`{"endpoint":"createInvoiceUrl","drop":` + drop + `}`)
		resp, err := w.client.Do(w.signed("createInvoiceUrl", `{"orderId":"`+id+`","price":"1","priceFiatId":1033}`))
		if err == nil {
			resp.Body.Close()
			t.Errorf("drop %s: answered with HTTP %d", drop, resp.StatusCode)
		}
		check(t, w, "getInvoiceOrderInfo", []rule{{"drop " + drop, `{"orderId":"` + id + `"}`, code, ""}})
	}
}

func TestFaultOfTime(t *testing.T) {
	w := start(t)
	w.fault(`{"endpoint":"getCoinList","delay_ms":600000}`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if resp, err := w.client.Do(w.signed("getCoinList", "").WithContext(ctx)); err == nil {
		resp.Body.Close()
		t.Error("answered without the delay")
	}
	w.fault(`{"endpoint":"getCoinList","delay_ms":30}`)
	began := time.Now()
	w.ok("getCoinList", "")
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestLatency(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.Latency = 40 * time.Millisecond })
	began := time.Now()
	w.ok("getCoinList", "")
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestRateLimit(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.RateLimit = 3 })
	for range 3 {
		w.ok("getFiatList", "")
	}
	limited := 0
	for range 20 {
		if w.call("getFiatList", "").Code == 11004 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("twenty calls more were not limited to three a second")
	}
}

func TestFaultsOfDeliveries(t *testing.T) {
	for effect, c := range map[string]struct {
		arrives bool
		http    int
		ok      bool
	}{
		`"http_status":404`: {false, 404, false},
		`"drop":"before"`:   {false, 0, false},
		`"drop":"after"`:    {true, 0, false},
		`"delay_ms":5`:      {true, 200, true},
	} {
		w := start(t)
		w.fault(`{"endpoint":"webhook",` + effect + `}`)
		d := w.Activate(t.Context())
		if d.HTTPStatus != c.http || d.OK != c.ok || (d.Error == "") != c.ok {
			t.Errorf("%s: %+v", effect, d)
		}
		if arrived := len(w.receiver.got()) == 1; arrived != c.arrives {
			t.Errorf("%s: arrived %t", effect, arrived)
		}
	}
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	w := start(t)
	for _, body := range []string{
		`{}`, `{"endpoint":"getCoinList"}`, `{"endpoint":"nothing","code":11000}`,
		`{"endpoint":"getCoinList","code":11000,"http_status":500}`, `{"endpoint":"getCoinList","code":10000}`,
		`{"endpoint":"getCoinList","code":99}`, `{"endpoint":"getCoinList","code":"11000"}`,
		`{"endpoint":"getCoinList","http_status":99}`, `{"endpoint":"getCoinList","delay_ms":-1}`,
		`{"endpoint":"getCoinList","drop":"sometimes"}`, `{"endpoint":"getCoinList","drop":7}`,
		`{"endpoint":"webhook","code":11000}`, `{"endpoint":"getCoinList","code":11000,"times":-2}`,
		`{"endpoint":"getCoinList","code":11000,"often":2}`,
	} {
		if code, answer := w.control("POST", "/sandbox/faults", body); code != http.StatusBadRequest ||
			answer.Str("error") == "" {
			t.Errorf("%s: %d %s", body, code, answer.Text("error"))
		}
	}
}
