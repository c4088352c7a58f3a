package ccpayment_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// scrape returns the value of each series as Prometheus gets it, by the text
// that names it.
func (s *server) scrape() map[string]float64 {
	s.t.Helper()
	response, err := s.client.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	page, err := readReply(response)
	if err != nil || page.status != http.StatusOK {
		s.t.Fatalf("the scrape got %d %s, %v", page.status, page.body, err)
	}
	series := make(map[string]float64)
	for line := range strings.Lines(page.body) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if rest := strings.LastIndex(line, "} "); rest > 0 {
			name, text, ok = line[:rest+1], strings.TrimSpace(line[rest+2:]), true
		}
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			series[name] = value
		}
	}
	return series
}

// TestMoneyMetrics: what an operator alerts on is there to be scraped.
func TestMoneyMetrics(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	// Counters are this process's: the route and the account are of this run.
	s.server = start(t, setup{
		global:  "admin $ADMIN",
		account: "account metered-$PORT {\n app_id " + appID + "\n app_secret " + secret + "\n base_url " + base + "\n}",
		webhook: "account metered-$PORT\nroute metered-$PORT\nlate hold", confirm: true,
	})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	scrape := func() map[string]float64 {
		got := make(map[string]float64)
		for series, value := range s.scrape() {
			got[strings.ReplaceAll(series, s.names.Replace("metered-$PORT"), "metered")] = value
		}
		return got
	}
	before := scrape()
	for _, kind := range []string{"risky", "mismatch", "late"} {
		if n, ok := before[`caddy_ccpayment_held_total{cause="`+kind+`",route="metered"}`]; !ok || n != 0 {
			t.Errorf("%s does not begin at zero", kind)
		}
	}
	for _, p := range []sandbox.Payment{{OrderID: "paid"}, {OrderID: "risky", Risky: true}, {OrderID: "late", Late: true}} {
		if err := kinds["order in coin"](s, p.OrderID); err != nil {
			t.Fatal(err)
		}
		s.pay(p)
	}
	record := s.app.received()[0].header.Get("Ccpayment-Record-Id")
	s.deliver(delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"` + record +
		`","orderId":"other","coinId":1280,"status":"Failed","isFlaggedAsRisky":false}}`}).wants(t, http.StatusOK)

	got := scrape()
	delivered := got[`caddy_ccpayment_events{route="metered",state="delivered"}`]
	for series, want := range map[string]float64{
		`caddy_ccpayment_held_total{cause="risky",route="metered"}`:    got[`caddy_ccpayment_events{route="metered",state="held"}`] - 2,
		`caddy_ccpayment_held_total{cause="late",route="metered"}`:     1,
		`caddy_ccpayment_held_total{cause="mismatch",route="metered"}`: 1,
		`caddy_ccpayment_events{route="metered",state="dead"}`:         0,
		`caddy_ccpayment_oldest_pending_seconds{route="metered"}`:      0,
		`caddy_ccpayment_delivery_lag_seconds_count{route="metered"}`:  delivered,
	} {
		if n, ok := got[series]; !ok || n != want {
			t.Errorf("%s is %v (%v), want %v", series, n, ok, want)
		}
	}
	for _, series := range []string{
		`caddy_ccpayment_api_requests_total{account="metered",code="10000",endpoint="getAppDepositRecord"}`,
		`caddy_ccpayment_api_duration_seconds_count{endpoint="getAppDepositRecord"}`,
		`caddy_ccpayment_held_total{cause="risky",route="metered"}`,
		"caddy_ccpayment_ledger_bytes", "caddy_ccpayment_ledger_commit_seconds_count",
	} {
		if got[series] <= 0 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
	if delivered == 0 {
		t.Error("nothing was delivered")
	}
	if _, ok := got[`caddy_ccpayment_clock_skew_seconds{account="metered"}`]; !ok {
		t.Error("the clock's skew is missing")
	}

	if err := box.SetFaults(sandbox.Fault{Endpoint: "*", Code: 12002, Times: -1}); err != nil {
		t.Fatal(err)
	}
	s.pay(sandbox.Payment{OrderID: "paid", Amount: decimal.New(1, 0)})
	if n := scrape()[`caddy_ccpayment_api_requests_total{account="metered",code="12002",endpoint="getAppDepositRecord"}`]; n == 0 {
		t.Error("that CCPayment blocks the address is not counted")
	}
}

// TestPendingMetrics: what waits is seen to wait, over a reload too, and over
// one that begins another ledger.
func TestPendingMetrics(t *testing.T) {
	usual := setup{
		global: "admin $ADMIN", site: storedSite, webhook: "route waiting\nretry {\nfirst 20ms\n}",
		app: status(http.StatusInternalServerError),
	}
	const oldest = `caddy_ccpayment_oldest_pending_seconds{route="waiting"}`
	state := func(name string) string { return `caddy_ccpayment_events{route="waiting",state="` + name + `"}` }
	s := start(t, usual)
	got := s.scrape()
	for _, series := range []string{oldest, state("dead"), state("held")} {
		if n, ok := got[series]; !ok || n != 0 {
			t.Errorf("%s does not begin at zero", series)
		}
	}
	s.deliver(delivery{}).wants(t, http.StatusOK)
	await(t, "it retries", func() bool { got := s.scrape(); return got[oldest] > 0.05 && got[state("retrying")] == 1 })

	s.load(usual)
	age := s.scrape()[oldest]
	await(t, "it waits longer", func() bool { return s.scrape()[oldest] > max(age, 0.05) })

	s.app.answers(status(http.StatusGone))
	await(t, "it is dead", func() bool { return s.scrape()[state("dead")] == 1 })
	if got := s.scrape(); got[oldest] != 0 || got[state("retrying")] != 0 {
		t.Errorf("a dead event is said to wait for %v", got[oldest])
	}

	other := usual
	other.store = "store bolt {\n path $DIR/other.db\n }"
	s.load(other)
	s.app.answers(nil)
	s.deliverAgain(delivery{body: deposit("r2", "Success")}).wants(t, http.StatusOK)
	await(t, "only the new ledger counts", func() bool {
		got := s.scrape()
		return got[state("delivered")] == 1 && got[state("dead")] == 0
	})
}

// TestCheckoutMetrics: requests for a checkout are counted by where their terms are from and what
// became of them.
func TestCheckoutMetrics(t *testing.T) {
	s := checkoutShop(t, "", asks(cart))
	json := http.Header{"Content-Type": {"application/json"}}
	for _, step := range []struct {
		source, outcome string
		visit           func()
	}{
		{"intercept", "new", func() { s.visit(http.MethodPost, "/buy", "", nil) }},
		{"intercept", "again", func() { s.visit(http.MethodPost, "/buy", "", nil) }},
		{"intercept", "bad_terms", func() {
			s.app.answers(asks(`{"order_id":"order-2","price":"free"}`))
			s.visit(http.MethodPost, "/buy", "", nil)
		}},
		{"price", "bad_method", func() { s.visit(http.MethodGet, "/fixed", "", nil) }},
		{"link", "bad_link", func() { s.visit(http.MethodGet, "/pay?sig=x", "", nil) }},
		{"api", "new", func() { s.visit(http.MethodPost, "/api/checkout", cart, json) }},
		{"api", "bad_terms", func() {
			s.visit(http.MethodPost, "/api/checkout", `{"order_id":"order-2","price":"free"}`, json)
		}},
	} {
		series := `caddy_ccpayment_checkouts_total{account="",outcome="` + step.outcome + `",source="` + step.source + `"}`
		switch step.source { // one directive in a configuration is enough for each
		case "price":
			s = checkoutShop(t, "price 5", nil)
		case "link":
			s = checkoutShop(t, "link_secret "+linkSecret, nil)
		case "api":
			s = shopWithAPI(t, cart)
		}
		before := s.scrape()[series]
		step.visit()
		if n := s.scrape()[series]; n != before+1 {
			t.Errorf("%s is %v, was %v", series, n, before)
		}
	}
}
