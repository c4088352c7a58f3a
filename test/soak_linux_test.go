package test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// soaking is how long the soak lasts; `make soak` takes longer.
var soaking = flag.Duration("soak", 20*time.Second, "how long the soak lasts")

// soaked has three hooks: one stores, one passes through, one stores what it has
// confirmed.
const soaked = `http://127.0.0.1:{$PORT} {
` + handler + `	ccpayment_webhook /direct {
		confirm off
		route direct
		token ` + token + `
	}
	ccpayment_webhook /money {
		route money
		deliver {
			reverse_proxy {$APP}
		}
		retry {
			first 200ms
			max 1s
		}
	}
	reverse_proxy /direct {$APP}
	respond / here
}
`

// soak is a Caddy in use, between an app and a CCPayment.
type soak struct {
	*server
	config         string
	app            *receiver
	box            *sandbox.Sandbox
	client         *client.Client
	stored, direct *traffic
	failing        []bad
	orders         int
}

// TestSoak uses Caddy for long, with what befalls it: reloads of which every
// second fails, an app and a CCPayment that go away, forgers, a stop and kills.
// Nothing is lost, and what a process holds does not grow with what it has done.
func TestSoak(t *testing.T) {
	t.Parallel()
	const lives, turns = 3, 12 // of Caddy, and of each life
	k := newSoak(t)
	turn := *soaking / (lives * turns)
	for life := range lives {
		k.start(k.config)
		var samples []sample
		for n := range turns {
			ends := time.After(turn)
			k.befall(n)
			k.order()
			k.flow()
			<-ends
			samples = append(samples, k.sample())
		}
		checkFlat(t, samples)
		if life == 0 {
			k.stop()
		} else {
			k.End(t, syscall.SIGKILL)
		}
	}
	k.start(k.config)
	k.flow()
	k.stored.end()
	k.direct.end()
	stored, direct := k.stored.events(), k.direct.events()
	arrived(t, k.app, append(slices.Clone(stored), direct...))
	k.checkFulfilled()
	k.stop()
	checkRecords(t, slices.DeleteFunc(k.app.received(), func(c call) bool {
		// There, an attempt that a kill cut off leaves no trace.
		return c.path == "/direct" || k.app.wentAway(c) // it is sent once more, as the same attempt
	}))
	checkLedgerKnows(t, k.server, stored)
	for i := range direct {
		direct[i].key.Route = "direct"
	}
	checkLedgerKnows(t, k.server, direct)
	// bbolt takes twice the room whenever it needs more.
	file, err := os.Stat(k.ledger)
	if most := int64(8<<10*(len(stored)+len(direct)) + 16<<20); err != nil || file.Size() > most {
		t.Errorf("the ledger's file should have at most %d bytes: %v, %v", most, file, err)
	}
	t.Logf("%d events stored, %d passed through, %d orders", len(stored), len(direct), k.orders)
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: appID, AppSecret: appSecret, Speed: 100})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() { api.Close(); box.Close() })
	base := api.URL + "/ccpayment/v2"
	c, err := client.New(client.Credentials{AppID: appID, AppSecret: appSecret}, client.WithBaseURL(base))
	if err != nil {
		t.Fatal(err)
	}
	k := &soak{app: newReceiver(t), box: box, client: c}
	k.app.comes()
	k.server = newServer(t, k.app.url)
	k.failing = broken(t, k.server, soaked)
	k.config = strings.Replace(globals, "ccpayment {", "ccpayment {\n\t\tbase_url "+base, 1) + soaked
	site := strings.TrimSuffix(k.hook, "/hook")
	if err := box.SetWebhookURL(site + "/money"); err != nil {
		t.Fatal(err)
	}
	pace := time.NewTicker(10 * time.Millisecond)
	t.Cleanup(pace.Stop)
	k.stored, k.direct = startPacedTraffic(t, k.hook, pace.C), startPacedTraffic(t, site+"/direct", pace.C)
	k.direct.appMayBeAway.Store(true)
	return k
}

// befall does to Caddy what its nth turn has in store.
func (k *soak) befall(n int) {
	k.t.Helper()
	forger := &http.Client{Transport: &http.Transport{}, Timeout: processtest.Patience}
	defer forger.CloseIdleConnections()
	for range 100 {
		a, err := deliver(k.t.Context(), forger, k.hook, newEvent(), "not the secret")
		if err != nil || a.status != http.StatusUnauthorized {
			k.t.Errorf("a forger got %d %q, %v", a.status, a.text, err)
		}
	}
	switch n % 4 {
	case 0:
		reload(k.t, k.server, soaked, k.failing, 1+n/4*2)
	case 1:
		if err := k.load(k.config + fmt.Sprintf("# %d\n", n)); err != nil {
			k.t.Errorf("a reload: %v", err)
		}
	case 2:
		k.app.goes()
		before := k.stored.count()
		processtest.Until(k.t, "events are stored while the app is away", func() bool { return k.stored.count() >= before+20 })
		k.app.comes()
	case 3:
		if err := k.box.SetFaults(sandbox.Fault{Endpoint: "*", HTTPStatus: http.StatusBadGateway, Times: 10}); err != nil {
			k.t.Fatal(err)
		}
	}
}

// order pays an order twice over; one payment fulfils it, sooner or later.
func (k *soak) order() {
	k.t.Helper()
	id := fmt.Sprintf("order-%d", k.orders)
	price := decimal.New(10, 0)
	var err error
	processtest.Until(k.t, "CCPayment takes an order", func() bool {
		_, err = k.client.CreateDepositOrder(k.t.Context(), client.DepositOrderRequest{OrderID: id, CoinID: "1280", Chain: "TRX", Price: price})
		return err == nil
	})
	for range 2 {
		if _, err := k.box.Pay(k.t.Context(), sandbox.Payment{OrderID: id, Amount: price, Instant: true}); err != nil {
			k.t.Fatal(err)
		}
	}
	k.orders++
}

func (k *soak) flow() {
	k.t.Helper()
	stored, direct := k.stored.more(10), k.direct.more(10)
	processtest.Until(k.t, "more events are acknowledged", func() bool { return stored() && direct() })
}

// checkFulfilled waits until each order was fulfilled, and checks that it was
// by one event.
func (k *soak) checkFulfilled() {
	k.t.Helper()
	carriers := make(map[string]map[string]bool)
	processtest.Until(k.t, "each order was fulfilled", func() bool {
		for _, c := range k.app.received() {
			if c.fulfill {
				if carriers[c.order] == nil {
					carriers[c.order] = make(map[string]bool)
				}
				carriers[c.order][c.key] = true
			}
		}
		return len(carriers) >= k.orders
	})
	for id, keys := range carriers {
		if len(keys) != 1 {
			k.t.Errorf("%d events fulfil %s", len(keys), id)
		}
	}
}

// sample is what the process holds, after so many events.
type sample struct{ events, memory, goroutines, descriptors int }

var inProfile = regexp.MustCompile(`goroutine profile: total (\d+)`)

func (k *soak) sample() sample {
	k.t.Helper()
	var text []byte
	response, err := processtest.Once.Get("http://" + k.admin + "/debug/pprof/goroutine?debug=1")
	if err == nil {
		text, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	total := inProfile.FindSubmatch(text)
	if err != nil || total == nil {
		k.t.Fatalf("Caddy's goroutines: %v\n%s", err, text)
	}
	goroutines, _ := strconv.Atoi(string(total[1]))
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", k.Cmd.Process.Pid))
	if err != nil {
		k.t.Fatal(err)
	}
	return sample{
		events: k.stored.count() + k.direct.count(), memory: memory(k.t, k.server),
		goroutines: goroutines, descriptors: len(descriptors),
	}
}

// checkFlat compares the last third of a life with the second; the first is for
// caches to fill.
func checkFlat(t *testing.T, samples []sample) {
	t.Helper()
	third := len(samples) / 3
	before, after := samples[third:2*third], samples[2*third:]
	typical := func(of []sample, what func(sample) int) int {
		values := make([]int, len(of))
		for i, s := range of {
			values[i] = what(s)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, kind := range []struct {
		name  string
		value func(sample) int
		slack int
	}{
		{"memory", func(s sample) int { return s.memory }, 32 << 20},
		{"goroutines", func(s sample) int { return s.goroutines }, 100},
		{"descriptors", func(s sample) int { return s.descriptors }, 100},
	} {
		was, is := typical(before, kind.value), typical(after, kind.value)
		t.Logf("after %d events: %s %d, then %d", after[len(after)-1].events, kind.name, was, is)
		if is > was+was/5+kind.slack {
			t.Errorf("%s grew from %d to %d: %+v", kind.name, was, is, samples)
		}
	}
}
