package ccpayment_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	ccpayment "github.com/seed-338f6760/caddy-ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/client"
	v1 "github.com/seed-338f6760/caddy-ccpayment/client/v1"
)

// TestDoorsOfGateways: a webhook verifies on a route of its own gateway's alone, also where
// the accounts at all of them have one id and one secret, and whatever other gateways'
// headers it has beside its own.
func TestDoorsOfGateways(t *testing.T) {
	api := newCPAPI(t)
	coins := api.setup("confirm off", "")
	credentials := client.Credentials{AppID: cpVectors.Client, AppSecret: cpVectors.Secret}
	id := "app_id " + credentials.AppID + "\n app_secret " + credentials.AppSecret
	coins.account += "\naccount two {\n " + id + "\n }\naccount one {\n gateway ccpayment_v1 {\n " + id + "\n }\n }"
	coins.site = `http://:$PORT {
		bind 127.0.0.1
		ccpayment_webhook /two {
			account two
			route two
			confirm off
		}
		ccpayment_webhook /one {
			account one
			route one
		}
		ccpayment_webhook /coins {
			account coins
			route coins
			confirm off
		}
		reverse_proxy $APP
	}`
	s := start(t, coins)
	timestamp := unix(0)
	of := map[string]delivery{
		"two": {timestamp: timestamp, appID: credentials.AppID, secret: credentials.AppSecret, body: deposit("r1", "Success")},
		"one": {timestamp: timestamp, appID: credentials.AppID, body: v1Deposit("r1", "order-1"), header: http.Header{
			"Sign": {v1.Sign(credentials, timestamp, []byte(v1Deposit("r1", "order-1")))},
		}},
	}
	right := cpDelivery{}.withDefaults()
	of["coins"] = delivery{body: right.body, header: http.Header{
		"Appid": nil, "Timestamp": nil, "Sign": nil,
		"X-Coinpayments-Client": {right.client}, "X-Coinpayments-Timestamp": {right.timestamp}, "X-Coinpayments-Signature": {right.signature},
	}}
	all := make(http.Header) // what each of the three was signed with, or nearly
	for _, d := range of {
		d = d.withDefaults()
		for name, values := range map[string][]string{"Appid": {d.appID}, "Timestamp": {timestamp}, "Sign": {d.sign()}} {
			all[name] = values
		}
	}
	for name, values := range of["coins"].header {
		if values != nil {
			all[name] = values
		}
	}
	for _, gateway := range []string{"two", "one", "coins"} {
		for _, route := range []string{"two", "one", "coins"} {
			if route == gateway {
				continue
			}
			d := of[gateway]
			d.path = "/" + route
			if got := s.deliver(d); got.status != 400 && got.status != 401 {
				t.Errorf("the webhook of %s at the route of %s: %d %s", gateway, route, got.status, got.body)
			}
			d.header = all.Clone()
			if gateway == "coins" { // signed by the app secret of somebody else, beside CoinPayments' own signature
				d.header["Sign"] = []string{strings.Repeat("0", 64)}
			} else {
				d.header["Sign"] = []string{of[gateway].withDefaults().sign()}
				if signs := of[gateway].header["Sign"]; signs != nil {
					d.header["Sign"] = signs
				}
			}
			if got := s.deliver(d); got.status != 400 && got.status != 401 {
				t.Errorf("the webhook of %s at the route of %s, with all headers: %d %s", gateway, route, got.status, got.body)
			}
		}
	}
	s.app.wants(t, 0)
	for _, gateway := range []string{"two", "one", "coins"} { // and each at its own
		d := of[gateway]
		d.path = "/" + gateway
		if got := s.deliver(d); got.status != http.StatusOK {
			t.Errorf("the webhook of %s: %d %s", gateway, got.status, got.body)
		}
	}
	s.app.wants(t, 3)
}

// TestSmuggledRequests: a request whose length two servers could read in two ways is
// refused, or reaches the app with its length written anew; what was hidden behind it is a
// request of its own, of which nothing forged is left.
func TestSmuggledRequests(t *testing.T) {
	d := delivery{}.withDefaults()
	const hidden = "GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCcpayment-Fulfill: Forged\r\n\r\n"
	head, _, _ := strings.Cut(strings.Replace(d.raw(), "Connection: close\r\n", "", 1), "\r\n\r\n")
	length := "Content-Length: " + strings.Split(strings.SplitAfter(head, "Content-Length: ")[1], "\r\n")[0]
	chunks := strings.SplitAfterN(chunked(d, d.body), "\r\n\r\n", 2)[1]
	for name, test := range map[string]struct {
		lines, body string
		delivered   bool
	}{
		"a second request behind it":   {length, d.body, true},
		"in chunks":                    {"Transfer-Encoding: chunked", chunks, true},
		"a length beside chunks":       {length + "\r\nTransfer-Encoding: chunked", chunks, true},
		"a short one beside chunks":    {"Content-Length: 4\r\nTransfer-Encoding: chunked", chunks, true},
		"two lengths":                  {length + "\r\nContent-Length: 4", d.body, false},
		"two in one line":              {length + ", 4", d.body, false},
		"a signed length":              {strings.Replace(length, ": ", ": +", 1), d.body, false},
		"a negative length":            {"Content-Length: -1", d.body, false},
		"a length in hex":              {"Content-Length: 0x10", d.body, false},
		"chunks that are no chunks":    {"Transfer-Encoding: xchunked", chunks, false},
		"chunks, in two codings":       {"Transfer-Encoding: gzip, chunked", chunks, false},
		"chunks, said twice":           {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunks, false},
		"chunks, behind a space":       {"Transfer-Encoding : chunked", chunks, false},
		"chunks, in a folded line":     {"X-A: b\r\n Transfer-Encoding: chunked\r\n" + length, d.body, true},
		"chunks of no number":          {"Transfer-Encoding: chunked", "zz\r\n" + d.body + "\r\n0\r\n\r\n", false},
		"a chunk that is far too long": {"Transfer-Encoding: chunked", "fffffffffffffffff\r\n" + d.body + "\r\n0\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup{})
			answer := s.send(strings.Replace(head, length, test.lines, 1) + "\r\n\r\n" + test.body + hidden)
			if delivered := strings.HasPrefix(answer, "HTTP/1.1 200 "); delivered != test.delivered {
				t.Errorf("it was delivered: %t: %s", delivered, answer)
			}
			webhooks := 0
			for _, got := range s.app.received() {
				wantsNothingForged(t, got)
				if got.uri == "/hook" {
					webhooks++
					if got.body != d.body || got.header.Get("Transfer-Encoding") != "" || length != "Content-Length: "+got.header.Get("Content-Length") {
						t.Errorf("the app got %+v", got)
					}
				}
			}
			if (webhooks == 1) != test.delivered {
				t.Errorf("the app got %d webhooks", webhooks)
			}
		})
	}
}

// TestVeryLongIDs: a webhook whose ids fill it is one event like any other.
func TestVeryLongIDs(t *testing.T) {
	s := start(t, setup{})
	long := strings.Repeat("7", 15_000)
	d := delivery{body: `{"type":"ApiDeposit","msg":{"recordId":"` + long + `","orderId":"` + long + `","referenceId":"` + long + `","userId":"` + long + `","status":"Success"}}`}
	for range 2 {
		s.deliver(d).wants(t, http.StatusOK)
	}
	if got := s.app.wants(t, 1)[0]; got.header.Get("Ccpayment-Record-Id") != long || got.body != d.body {
		t.Errorf("the app got an id of %d characters", len(got.header.Get("Ccpayment-Record-Id")))
	}
	s.deliver(delivery{body: strings.Replace(d.body, long, long+"1", 1)}).wants(t, http.StatusOK) // nearly the same
	s.app.wants(t, 2)
}

// TestRejectionsAreLimited: a flood of forgeries is refused whole, and writes a few lines to
// the log.
func TestRejectionsAreLimited(t *testing.T) {
	const many = 500
	s := start(t, setup{})
	begun := time.Now()
	for range many {
		s.deliver(delivery{secret: "another"}).wants(t, http.StatusUnauthorized)
	}
	seconds := int(time.Since(begun)/time.Second) + 1
	if lines := strings.Count(s.logs(), "rejected a webhook"); lines == 0 || lines > 10+10*seconds {
		t.Errorf("%d forgeries in %d seconds wrote %d lines", many, seconds, lines)
	}
	s.app.wants(t, 0)
}

// TestUnfinishedBody: a webhook whose body comes by the byte and never ends is answered,
// whatever is wrong with it besides, and its connection closed.
func TestUnfinishedBody(t *testing.T) {
	t.Cleanup(ccpayment.SetBodyTimeout(200 * time.Millisecond))
	s := start(t, setup{})
	for method, want := range map[string]int{"POST": http.StatusBadRequest, "PUT": http.StatusMethodNotAllowed} {
		raw := regexp.MustCompile(`Content-Length: \d+`).ReplaceAllString(delivery{method: method}.raw(), "Content-Length: 60000")
		if got := trickle(t, s.addr, raw); got != want {
			t.Errorf("%s: %d, want %d", method, got, want)
		}
	}
	s.app.wants(t, 0)
	s.sendRaw(delivery{}.raw()).wants(t, http.StatusOK)
}

// trickle sends a request and then byte after byte, until the connection is closed, and
// returns the response's status.
func trickle(t *testing.T, addr, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for err := error(nil); err == nil; <-pace.C {
			_, err = io.WriteString(conn, " ")
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	<-ended
	return response.StatusCode
}
