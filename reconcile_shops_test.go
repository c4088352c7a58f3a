package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

const twoShopsSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /a-hook {
		account a
		route a
		deliver {
			reverse_proxy $APP
		}
	}
	ccpayment_webhook /b-hook {
		account b
		route b
		deliver {
			reverse_proxy $APP
		}
	}
	handle_path /a/* {
		ccpayment_checkout {
			account a
			intercept 402
		}
		reverse_proxy $APP
	}
	handle_path /b/* {
		ccpayment_checkout {
			account b
			intercept 402
		}
		reverse_proxy $APP
	}
	handle_path /a-api/* {
		ccpayment_api {
			account a
			allow deposit
		}
	}
	handle_path /b-api/* {
		ccpayment_api {
			account b
			allow deposit
		}
	}
	reverse_proxy $APP
}`

// newTwoShops starts two merchants with one account at the gateway, a and b.
func newTwoShops(t *testing.T, site, options string) *lossy {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	s := &lossy{shop: &shop{box: box, c: c}, told: make(map[string]int), fulfilled: make(map[string]int), reasons: make(map[string]int), records: make(map[string]http.Header)}
	account := func(name string) string {
		return "account " + name + " {\n app_id " + appID + "\n app_secret " + secret + "\n base_url " + base +
			"\n webhook_url http://127.0.0.1:$PORT/" + name + "-hook\n order_prefix shop-" + name + "-\n}\n"
	}
	s.setup = setup{global: adminOn, site: site, app: s.serve, account: account("a") + account("b") + "reconcile {\n" + options + "\n}"}
	s.server = start(t, s.setup)
	return s
}

// sellAt has a shop's checkout make an order, and pays it.
func (s *lossy) sellAt(shop, order string) (recordID string) {
	s.t.Helper()
	v := s.visit(http.MethodPost, "/"+shop+"/buy/"+order, "", http.Header{"Accept": {"application/json"}})
	if v.answer.CheckoutURL == "" {
		s.t.Fatalf("no checkout: %d %s", v.status, v.body)
	}
	return s.payFor(s.t, "shop-"+shop+"-"+order)
}

// wantToldOn checks that the app is told of a record on a route.
func (s *lossy) wantToldOn(route, recordID string) http.Header {
	s.t.Helper()
	header := s.hears("the record of "+route, recordID)
	var routes []string
	for _, e := range s.list("record_id=" + recordID).Events {
		if e.State != "ignored" {
			routes = append(routes, e.Route)
		}
	}
	if strings.Join(routes, " ") != route {
		s.t.Errorf("the record of the shop %s is told on the routes %q", route, routes)
	}
	return header
}

// TestTwoShopsOfOneAccount: of two shops with one account at the gateway each is told of its
// own orders, also where a webhook went to the other one's route.
func TestTwoShopsOfOneAccount(t *testing.T) {
	s := newTwoShops(t, twoShopsSite, quick)
	s.lose()
	for _, order := range []string{"order-1", "order-2"} {
		for _, shop := range []string{"a", "b"} {
			if got := s.wantToldOn(shop, s.sellAt(shop, order)); got.Get("Ccpayment-Fulfill") != "true" || got.Get("Ccpayment-Order-Id") != order {
				t.Errorf("%s of the shop %s came as %v", order, shop, got)
			}
		}
	}
	for _, shop := range []string{"a", "b"} {
		address := s.addressBy("/"+shop+"-api", "customer-of-"+shop)
		if got := s.wantToldOn(shop, s.payTo(address)); got.Get("Ccpayment-Credit") != "true" {
			t.Errorf("the deposit of the shop %s came as %v", shop, got)
		}
	}

	off := s.setup
	off.account = strings.Replace(off.account, "every 50ms", "every off", 1)
	s.load(off)
	record := s.sellAt("a", "order-3")
	body := `{"type":"ApiDeposit","msg":{"recordId":"` + record + `","orderId":"shop-a-order-3","coinId":1280,"status":"Success","isFlaggedAsRisky":false}}`
	if got := s.deliver(delivery{path: "/b-hook", body: body}); got.status != http.StatusOK {
		t.Fatalf("the webhook got %d %s", got.status, got.body)
	}
	var looks reconciled
	s.ask(http.MethodPost, "reconcile", `{}`, http.StatusOK, &looks)
	if len(looks.Accounts) != 2 || looks.Accounts[0].Told != 1 || looks.Accounts[1].Told != 1 || looks.Accounts[0].LastError != "" {
		t.Errorf("the one look of both shops finds %+v", looks)
	}
	s.wantToldOn("a", record)
	for _, shop := range []string{"a", "b"} {
		var looks reconciled
		s.ask(http.MethodGet, "reconcile?account="+shop, "", http.StatusOK, &looks)
		if len(looks.Accounts) != 1 || len(looks.Accounts[0].Missing) != 0 || looks.Accounts[0].Told != 1 {
			t.Errorf("of the shop %s it is shown %+v", shop, looks)
		}
	}
}

// TestMadeForAnotherRoute: a Caddy that does not have the route for which an order or an
// address was made reports the payment, and one that has it tells there.
func TestMadeForAnotherRoute(t *testing.T) {
	s := newLossy(t, twoRoutesSite, "every off\ngrace 1ms", nil)
	s.lose()
	both := s.setup
	without := func(begin, end string) setup {
		one := both
		i, j := strings.Index(one.site, begin), strings.Index(one.site, end)
		one.site = one.site[:i] + one.site[j:]
		return one
	}
	first, second := without("\tccpayment_webhook /other-hook", "\tccpayment_checkout"), without("\tccpayment_webhook /hook", "\tccpayment_webhook /other-hook")
	second.account = strings.Replace(second.account, "/hook", "/other-hook", 1)
	order := s.sell("order-1") // whose notify_url is the second route's
	s.load(second)
	deposit := s.payTo(s.address("buyer-1"))
	s.load(first)
	if look := s.look(`{}`).Accounts[0]; look.Told != 0 || len(look.Missing) != 2 || look.LastError != "" {
		t.Errorf("without the route the look finds %+v", look)
	}
	s.load(both)
	await(t, "nothing is missing", func() bool { look := s.look(`{}`).Accounts[0]; return len(look.Missing) == 0 && look.LastError == "" })
	if got := s.wantToldOn("second", order); got.Get("Ccpayment-Fulfill") != "true" {
		t.Errorf("the order came as %v", got)
	}
	if got := s.wantToldOn("second", deposit); got.Get("Ccpayment-Credit") != "true" {
		t.Errorf("the deposit came as %v", got)
	}
}
