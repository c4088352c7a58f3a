package ccpayment_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

const apiSite = `http://:$PORT {
	bind 127.0.0.1
	log
	ccpayment_webhook /hook $APP
	handle_path /ccpayment/* {
		ccpayment_api {
			$WEBHOOK
		}
	}
	respond "another page" 418
}`

// apiShop is a Caddy whose apps call CCPayment through it.
func apiShop(t *testing.T, options, site string) (*shop, *front) {
	t.Helper()
	box, c, _ := newSandbox(t, 1)
	f := &front{Handler: box}
	api := httptest.NewServer(f)
	t.Cleanup(api.Close)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global:  adminOn,
		account: "webhook_url http://127.0.0.1:$PORT/hook\napi_timeout 500ms\nbase_url " + api.URL + "/ccpayment/v2",
		site:    site, webhook: options,
	})
	return s, f
}

// apiReply is a response of ccpayment_api.
type apiReply struct {
	reply
	Code int
	Msg  string
	Data json.RawMessage
}

// call posts JSON as an app does.
func (s *shop) call(path, body string) apiReply {
	s.t.Helper()
	return s.callWith(http.MethodPost, path, body, http.Header{"Content-Type": {"application/json"}})
}

func (s *shop) callWith(method, path, body string, header http.Header) apiReply {
	s.t.Helper()
	v, err := s.tryVisit(s.t.Context(), method, path, body, header)
	if err != nil {
		s.t.Fatal(err)
	}
	answer := apiReply{reply: reply{v.status, v.header, v.body}}
	_ = json.Unmarshal([]byte(v.body), &answer)
	return answer
}

// TestAPIGroups: each of CCPayment's endpoints is let through by one group, and
// by no other.
func TestAPIGroups(t *testing.T) {
	groups := []string{"read", "deposit", "withdraw", "swap", "wallet", "webhook"}
	site := "http://:$PORT {\n bind 127.0.0.1\n"
	for _, group := range groups {
		site += "handle_path /" + group + "/* {\n ccpayment_api {\n allow " + group + "\n }\n }\n"
	}
	s, f := apiShop(t, "", site+"}")
	movesOut := map[string]string{
		"applyAppWithdrawToNetwork": "withdraw", "applyAppWithdrawToCwallet": "withdraw", "applyUserWithdrawToNetwork": "withdraw",
		"applyUserWithdrawToCwallet": "withdraw", "swap": "swap", "userSwap": "swap", "userTransfer": "wallet",
		"applyBatchWithdraw": "withdraw", "appendBatchWithdraw": "withdraw", "confirmBatchWithdraw": "withdraw",
		"abortBatchWithdraw": "withdraw", "userBatchTransfer": "withdraw",
	}
	if n := len(client.Endpoints()); n != 61 {
		t.Errorf("there are %d endpoints", n)
	}
	for _, endpoint := range client.Endpoints() {
		var through []string
		for _, group := range groups {
			before := len(f.of(pathBase(endpoint)))
			answer := s.call("/"+group+"/"+endpoint, `{}`)
			reached := len(f.of(pathBase(endpoint))) > before
			if refused := answer.status == http.StatusForbidden && answer.Code == 90403; refused == reached {
				t.Errorf("%s of %s: %d %s; it reached CCPayment: %t", endpoint, group, answer.status, answer.body, reached)
			}
			if reached {
				through = append(through, group)
			}
		}
		if len(through) != 1 || movesOut[endpoint] != "" && movesOut[endpoint] != through[0] {
			t.Errorf("%s is let through by %v", endpoint, through)
		}
	}
}

func pathBase(endpoint string) string { return endpoint[strings.LastIndex(endpoint, "/")+1:] }

// TestAPICalls: a call is signed, reaches the endpoint as it was written, and
// CCPayment's response is returned, a refusal too.
func TestAPICalls(t *testing.T) {
	s, f := apiShop(t, "allow deposit read applyAppWithdrawToNetwork", apiSite)
	made := s.call("/ccpayment/createInvoiceUrl", ` { "orderId":"order-1", "price":"10.50","priceFiatId":"1033" } `)
	if made.status != 200 || made.Code != 10000 || made.Msg != "success" || !strings.Contains(string(made.Data), `"invoiceUrl":"http://127.0.0.1:`) {
		t.Errorf("an invoice: %d %s", made.status, made.body)
	}
	want := `{"notifyUrl":"http://127.0.0.1:` + port(s.addr) + `/hook","orderId":"order-1","price":"10.50","priceFiatId":"1033"}`
	if got := f.of("createInvoiceUrl"); len(got) != 1 || got[0] != want {
		t.Errorf("CCPayment was asked with %q, want %q", got, want)
	}
	if answer := s.call("/ccpayment/getInvoiceOrderInfo", `{"orderId":"order-1"}`); answer.Code != 10000 || !strings.Contains(string(answer.Data), `"orderId":"order-1"`) {
		t.Errorf("asked for it: %s", answer.body)
	}
	if answer := s.call("/ccpayment/createInvoiceUrl", `{"orderId":"order-1","price":"10.50","priceFiatId":"1033"}`); answer.status != 200 || answer.Code != 11011 || answer.Msg == "" {
		t.Errorf("made twice: %d %s", answer.status, answer.body)
	}
	if answer := s.call("/ccpayment/getChainList", ``); answer.Code != 10000 {
		t.Errorf("nothing as a body: %s", answer.body)
	}
	if answer := s.call("/ccpayment/applyAppWithdrawToNetwork", `{"coinId":1280,"chain":"TRX","address":"TX","orderId":"out-1","amount":"1"}`); answer.status != 200 || answer.Code == 10000 || answer.Code > 20000 {
		t.Errorf("one by name: %d %s", answer.status, answer.body)
	}
	if answer := s.call("/ccpayment/applyAppWithdrawToCwallet", `{}`); answer.status != 403 {
		t.Errorf("its neighbour: %d %s", answer.status, answer.body)
	}
}

// TestAPICache: lists are asked for once, for each account, endpoint and body.
func TestAPICache(t *testing.T) {
	other, err := sandbox.New(sandbox.Options{AppID: "app-b", AppSecret: "secret-b"})
	if err != nil {
		t.Fatal(err)
	}
	second := &front{Handler: other}
	otherAPI := httptest.NewServer(second)
	t.Cleanup(func() { otherAPI.Close(); other.Close() })
	s, f := apiShop(t, "cache 1h getCoinList getCoin", apiSite)
	count := func(f *front, endpoint string, want int) {
		t.Helper()
		if got := len(f.of(endpoint)); got != want {
			t.Errorf("%s was asked for %d times, want %d", endpoint, got, want)
		}
	}

	// A refusal of CCPayment's is not cached.
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "getCoinList", Code: 11000, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if answer := s.call("/ccpayment/getCoinList", ``); answer.Code != 11000 {
		t.Errorf("refused: %s", answer.body)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			v, err := s.tryVisit(t.Context(), http.MethodPost, "/ccpayment/getCoinList", "", http.Header{"Content-Type": {"application/json"}})
			if err != nil || !strings.Contains(v.body, `"code":10000`) {
				t.Errorf("%v %s", err, v.body)
			}
		})
	}
	all.Wait()
	count(f, "getCoinList", 2)

	first, again := s.call("/ccpayment/getCoin", `{"coinId":1280}`), s.call("/ccpayment/getCoin", ` {"coinId": 1280}`)
	if first.Code != 10000 || first.body != again.body {
		t.Errorf("kept: %s, at first %s", again.body, first.body)
	}
	count(f, "getCoin", 1)
	if answer := s.call("/ccpayment/getCoin", `{"coinId":1482}`); answer.body == first.body {
		t.Error("another body got the same answer")
	}
	count(f, "getCoin", 2)
	for range 2 { // not named, so not kept
		s.call("/ccpayment/getFiatList", ``)
	}
	count(f, "getFiatList", 2)

	s.load(setup{
		global: adminOn,
		account: "base_url http://127.0.0.1:1/\naccount b {\n app_id app-b\n app_secret secret-b\n base_url " + otherAPI.URL + "/ccpayment/v2\n }\n" +
			"account c {\n app_id app-b\n app_secret wrong\n base_url " + otherAPI.URL + "/ccpayment/v2\n }",
		site: "http://:$PORT {\n bind 127.0.0.1\n handle_path /b/* {\n ccpayment_api {\n account b\n }\n }\n handle_path /c/* {\n ccpayment_api {\n account c\n }\n }\n}",
	})
	await(t, "Caddy answers after the reload", func() bool {
		v, err := s.tryVisit(t.Context(), http.MethodPost, "/b/getCoinList", "", http.Header{"Content-Type": {"application/json"}})
		return err == nil && strings.Contains(v.body, `"code":10000`)
	})
	count(second, "getCoinList", 1)
	if answer := s.call("/c/getCoinList", ``); answer.Code != 11005 {
		t.Errorf("an account whose secret is wrong got %s", answer.body)
	}
}

// TestAPICacheAge: no response is served from the cache beyond its time.
func TestAPICacheAge(t *testing.T) {
	const age = 300 * time.Millisecond
	s, f := apiShop(t, "cache 300ms getFiatList", apiSite)
	begun := time.Now()
	first := s.call("/ccpayment/getFiatList", ``)
	read := time.Now()
	f.answers(func(w http.ResponseWriter, _ string) bool {
		_, _ = w.Write([]byte(`{"code":10000,"msg":"success","data":{"new":true}}`))
		return true
	})
	await(t, "the new list", func() bool {
		asked := time.Now()
		answer := s.call("/ccpayment/getFiatList", ``)
		isNew := strings.Contains(answer.body, `"new":true`)
		switch {
		case !isNew && answer.body != first.body:
			t.Fatalf("neither of the two: %s", answer.body)
		case !isNew && asked.Sub(read) > age:
			t.Fatalf("served %s after it was read", asked.Sub(read))
		case isNew && time.Since(begun) < age:
			t.Fatalf("read again after %s", time.Since(begun))
		}
		return isNew
	})
}

// TestAPIOwnEndpoints: an app gets the URL of a checkout page to return, and polls the
// order until it is paid.
func TestAPIOwnEndpoints(t *testing.T) {
	s, f := apiShop(t, "", apiSite)
	made := s.callWith(http.MethodPost, "/ccpayment/checkout", cart, http.Header{"Content-Type": {"application/json"}})
	var checkout, again struct {
		OrderID     string `json:"order_id"`
		CheckoutURL string `json:"checkout_url"`
		Token       string `json:"status_token"`
		Price       string
		Currency    string
	}
	if err := json.Unmarshal([]byte(made.body), &checkout); err != nil || made.status != http.StatusCreated || checkout.OrderID != "order-1" ||
		checkout.Price != "10" || checkout.Currency != "USD" || !strings.HasPrefix(checkout.CheckoutURL, "http://127.0.0.1:") {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if body := f.of("createInvoiceUrl")[0]; !strings.Contains(body, `"notifyUrl":"http://127.0.0.1:`+port(s.addr)+`/hook"`) {
		t.Errorf("CCPayment was asked with %s", body)
	}
	second := s.call("/ccpayment/checkout", cart)
	if err := json.Unmarshal([]byte(second.body), &again); err != nil || second.status != http.StatusOK || again != checkout {
		t.Errorf("asked again: %d %s", second.status, second.body)
	}
	order := func() (o struct {
		State       string
		CheckoutURL string `json:"checkout_url"`
		AmountDue   string `json:"amount_due"`
		Fulfilled   bool
	},
	) {
		t.Helper()
		answer := s.callWith(http.MethodGet, "/ccpayment/orders/order-1", "", nil)
		if err := json.Unmarshal([]byte(answer.body), &o); err != nil || answer.status != 200 || o.CheckoutURL != checkout.CheckoutURL {
			t.Fatalf("%d %s", answer.status, answer.body)
		}
		return o
	}
	if o := order(); o.State != "unpaid" || o.AmountDue != "10" || o.Fulfilled {
		t.Errorf("before it is paid: %+v", o)
	}
	s.payAll("order-1")
	await(t, "the order is fulfilled", func() bool { o := order(); return o.State == "paid" && o.Fulfilled })

	for i, refused := range []struct {
		method, path, body string
		want               int
		msg                string
	}{
		{"POST", "checkout", cart, 409, "paid"},
		{"POST", "checkout", `{"price":"10"}`, 400, "order_id"},
		{"POST", "checkout", ``, 400, "the body"},
		{"POST", "checkout", `{"order_id":"order-2","price":"0"}`, 400, "price: it must be more than zero"},
		{"POST", "checkout", `{"order_id":"order-2","price":"1","currency":"USX"}`, 400, "currency: "},
		{"POST", "checkout", `{"order_id":"order\n2","price":"1"}`, 400, "order_id: "},
		{"POST", "checkout", `{"order_id":"order-2","price":"1","expires_in":"soon"}`, 400, "expires_in"},
		{"GET", "checkout", ``, 405, "POST"},
		{"GET", "orders/order-2", ``, 404, "no order"},
		{"GET", "orders/", ``, 404, ""},
		{"GET", "orders", ``, 404, ""},
		{"GET", "orders/../orders/order-1", ``, 404, ""},
		{"POST", "orders/order-1", ``, 405, "GET"},
	} {
		answer := s.callWith(refused.method, "/ccpayment/"+refused.path, refused.body, http.Header{"Content-Type": {"application/json"}})
		if answer.status != refused.want || answer.Code != 90000+refused.want || !strings.Contains(answer.Msg, refused.msg) {
			t.Errorf("%d %s %s: %d %s", i, refused.method, refused.path, answer.status, answer.body)
		}
	}
	if made := len(f.of("createInvoiceUrl")); made != 1 {
		t.Errorf("%d orders were made", made)
	}
}

// TestCase29_APIUnknownOutcome: where CCPayment's answer is lost, the app learns which
// order to look up, and the log says no more than that.
func TestCase29_APIUnknownOutcome(t *testing.T) {
	s, f := apiShop(t, "allow withdraw deposit", apiSite)
	const body = `{"coinId":1280,"chain":"TRX","address":"TQrY8tryqsYVCYS3MFbtffiPp2ccyn4STm","orderId":"out-%d","amount":"12.345"}`
	audit := func(order, outcome string) {
		t.Helper()
		if line := `"order_id":"` + order + `","outcome":"` + outcome; !strings.Contains(s.logs(), line) {
			t.Errorf("the log lacks %s", line)
		}
	}
	// Case 29: a code that proves nothing is passed on, with CCPayment's words.
	for i, fault := range []sandbox.Fault{{Drop: "after"}, {Drop: "before"}, {HTTPStatus: 500}, {Code: 11002}, {Code: 10001}, {Code: 19999}} {
		words, known := "", ""
		if fault.Code != 0 {
			msg := map[int]string{11002: "Internal", 10001: "Failed", 19999: "code 19999"}[fault.Code]
			words = fmt.Sprintf(`,"code":%d,"msg":%q`, fault.Code, msg)
			known = ": " + client.CodeError(fault.Code).Error()
		}
		fault.Endpoint = "applyAppWithdrawToNetwork"
		if err := s.box.SetFaults(fault); err != nil {
			t.Fatal(err)
		}
		order := fmt.Sprintf("out-%d", i)
		answer := s.call("/ccpayment/applyAppWithdrawToNetwork", fmt.Sprintf(body, i))
		if answer.status != 504 || answer.Code != 90504 || string(answer.Data) != `{"orderId":"`+order+`"`+words+`}` || !strings.Contains(answer.Msg, order) ||
			fault.Code != 0 && !strings.Contains(answer.Msg, fmt.Sprintf("CCPayment answered %d", fault.Code)) {
			t.Errorf("%+v: %d %s", fault, answer.status, answer.body)
		}
		audit(order, `unknown`+known+`"`)
		if sent := len(f.of("applyAppWithdrawToNetwork")); sent != i+1 {
			t.Errorf("%+v: sent %d times in all", fault, sent)
		}
	}
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createInvoiceUrl", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	if answer := s.call("/ccpayment/checkout", cart); answer.status != 504 || string(answer.Data) != `{"orderId":"order-1"}` {
		t.Errorf("a checkout: %d %s", answer.status, answer.body)
	}
	audit("order-1", `unreachable"`)
	if err := s.box.SetFaults(sandbox.Fault{Endpoint: "createInvoiceUrl", Code: 19999}); err != nil {
		t.Fatal(err)
	}
	odd := strings.Replace(cart, "order-1", "order-2", 1)
	if answer := s.call("/ccpayment/checkout", odd); answer.status != 504 || string(answer.Data) != `{"orderId":"order-2","code":19999,"msg":"code 19999"}` {
		t.Errorf("a checkout that nobody's code answers: %d %s", answer.status, answer.body)
	}
	// Each code that CCPayment documents is a refusal: the outcome is known.
	for _, code := range sandbox.Codes() {
		// But for success, what proves nothing, what is tried again and what stops all calls.
		if slices.Contains([]int{10000, 10001, 11002, 11004, 11014, 11018}, code) {
			continue
		}
		if err := s.box.SetFaults(sandbox.Fault{Endpoint: "applyAppWithdrawToNetwork", Code: code}); err != nil {
			t.Fatal(err)
		}
		if answer := s.call("/ccpayment/applyAppWithdrawToNetwork", fmt.Sprintf(body, code)); answer.status != 200 || answer.Code != code {
			t.Errorf("%d: %d %s", code, answer.status, answer.body)
		}
	}
	if answer := s.call("/ccpayment/checkout", cart); answer.status != 200 {
		t.Errorf("asked again, it is found: %d %s", answer.status, answer.body)
	}
	if answer := s.call("/ccpayment/applyAppWithdrawToNetwork", fmt.Sprintf(body, 9)); answer.Code < 11000 || answer.Code > 20000 {
		t.Errorf("one that CCPayment refuses: %s", answer.body)
	}
	audit("out-9", "refused: 14000 ")
	for _, private := range []string{"TQrY8tryqsYVCYS3MFbtffiPp2ccyn4STm", "12.345", secret} {
		if strings.Contains(s.logs(), private) {
			t.Errorf("the log shows %q", private)
		}
	}
}
