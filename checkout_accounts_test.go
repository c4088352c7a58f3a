package ccpayment_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// second is a sandbox of another merchant, and its options as an account.
func second(t *testing.T) (*sandbox.Sandbox, string) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{AppID: "app-2", AppSecret: "another secret"})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(box)
	t.Cleanup(func() { api.Close(); box.Close() })
	return box, "account coins {\n orders shop\n app_id app-2\n app_secret \"another secret\"\n webhook_url http://127.0.0.1:$PORT/coins\n base_url " + api.URL + "/ccpayment/v2\n}\n"
}

const accountsSite = `http://:$PORT {
	bind 127.0.0.1
	ccpayment_webhook /hook $APP
	ccpayment_webhook /coins $APP {
		account coins
		route coins
	}
	handle_path /ccpayment/* {
		ccpayment_api {
			$NAMES
		}
	}
	ccpayment_checkout {
		$NAMES
	}
	reverse_proxy $APP
}`

// TestChosenAccount: the app chooses the account of an order among those that the
// directive names, by its 402 and by the API.
func TestChosenAccount(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	other, account := second(t)
	app := func(w http.ResponseWriter, r *http.Request) { asks(r.Header.Get("X-Terms"))(w, r) }
	header := func(terms string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "X-Terms": {terms}}
	}
	s := &shop{box: box, c: c}
	with := func(names string) setup {
		return setup{
			global: adminOn, account: "orders shop\nwebhook_url http://127.0.0.1:$PORT/hook\nbase_url " + base + "\n" + account,
			site: strings.ReplaceAll(accountsSite, "$NAMES", names), app: app,
		}
	}
	s.server = start(t, with(`account "" coins`))
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	wantAt := func(gateway *sandbox.Sandbox, orderID string) {
		t.Helper()
		for _, one := range []*sandbox.Sandbox{box, other} {
			_, err := one.Pay(t.Context(), sandbox.Payment{OrderID: orderID, Instant: true, Wait: patience})
			if (err == nil) != (one == gateway) {
				t.Errorf("%s, at the default account %t: %v", orderID, one == box, err)
			}
		}
	}
	for id, test := range map[string]struct {
		field string
		at    *sandbox.Sandbox
	}{
		"none":  {"", box},
		"empty": {`,"account":""`, box},
		"null":  {`,"account":null`, box},
		"named": {`,"account":"coins"`, other},
	} {
		for _, door := range []string{"/buy", "/ccpayment/checkout"} {
			orderID := id + strings.ReplaceAll(door, "/", "-")
			terms := `{"order_id":"` + orderID + `","price":"10"` + test.field + `}`
			made := s.visit(http.MethodPost, door, terms, header(terms))
			if made.status != http.StatusCreated {
				t.Fatalf("%s: %d %s", orderID, made.status, made.body)
			}
			wantAt(test.at, orderID)
			if v, err := s.tryVisit(t.Context(), http.MethodGet, "/ccpayment/orders/"+orderID, "", nil); err != nil || v.status != http.StatusOK || v.answer.CheckoutURL != made.answer.CheckoutURL {
				t.Errorf("%s: %d %s, %v", orderID, v.status, v.body, err)
			}
		}
	}
	for _, field := range []string{`"gold"`, `7`, `["coins"]`} {
		terms := `{"order_id":"order-1","price":"10","account":` + field + `}`
		if v := s.visit(http.MethodPost, "/buy", "", header(terms)); v.status != http.StatusBadGateway || v.answer.Error.Code != "bad_terms" {
			t.Errorf("%s: %d %s", field, v.status, v.body)
		}
		v := s.visit(http.MethodPost, "/ccpayment/checkout", terms, header(terms))
		if v.status != http.StatusBadRequest || !strings.Contains(v.body, `is none of those that the directive names, which are \"\", coins: `) {
			t.Errorf("%s: %d %s", field, v.status, v.body)
		}
	}
	// An order stays where it was opened, also where both are asked for at once.
	for i := range 4 {
		orderID := fmt.Sprint("at-once-", i)
		var all sync.WaitGroup
		var made atomic.Int32
		for _, name := range []string{"", "coins", "", "coins", "", "coins"} {
			all.Go(func() {
				v, err := s.tryVisit(t.Context(), http.MethodPost, "/buy", "", header(`{"order_id":"`+orderID+`","price":"10","account":"`+name+`"}`))
				switch {
				case err == nil && v.status == http.StatusCreated:
					made.Add(1)
				case err != nil || v.status != http.StatusOK && v.answer.Error.Code != "other_account":
					t.Errorf("%s at %q: %d %s, %v", orderID, name, v.status, v.body, err)
				}
			})
		}
		if all.Wait(); made.Load() != 1 {
			t.Errorf("%s was made %d times", orderID, made.Load())
		}
	}
	if !strings.Contains(s.logs(), "is none of those that the directive names") {
		t.Error("the log does not say which accounts there are")
	}

	// The default account may stand behind another, and is chosen by its empty name.
	s.load(with(`account coins ""`))
	for id, test := range map[string]struct {
		field string
		at    *sandbox.Sandbox
	}{"first": {"", other}, "second": {`,"account":""`, box}} {
		if v := s.visit(http.MethodPost, "/buy", "", header(`{"order_id":"`+id+`","price":"10"`+test.field+`}`)); v.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", id, v.status, v.body)
		}
		wantAt(test.at, id)
	}

	// A shop with one account may have a field of that name for itself.
	s.load(with(""))
	if v := s.visit(http.MethodPost, "/buy", "", header(`{"order_id":"own-field","price":"10","account":{"id":7}}`)); v.status != http.StatusCreated {
		t.Errorf("%d %s", v.status, v.body)
	}
	wantAt(box, "own-field")
}

// TestNamedTwice: a directive that names an account twice is a mistake.
func TestNamedTwice(t *testing.T) {
	_, account := second(t)
	s := start(t, setup{account: account})
	site := "http://:$PORT {\n ccpayment_checkout {\n account coins \"coins\"\n }\n}"
	bad := setup{account: account, site: site}
	if err := caddy.Load(adapt(t, s.names.Replace(bad.caddyfile())), true); err == nil || !strings.Contains(err.Error(), `account "coins" is named twice`) {
		t.Errorf("%v", err)
	}
}
