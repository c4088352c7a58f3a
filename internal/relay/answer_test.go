package relay

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// TestAnswerOf: what is kept of an app's answer is text of a bounded length, without what
// authorizes our requests, wherever in the answer that stands.
func TestAnswerOf(t *testing.T) {
	sent := []Field{
		{"Authorization", "Bearer token-of-the-shop"},
		{"Sign", "0123456789abcdef"},
		{"Webhook-Signature", "v1,Zmlyc3Q= v1,c2Vjb25k"},
		{"Ccpayment-Type", "ApiDeposit"},
	}
	long := strings.Repeat("x", mostKept)
	for name, c := range map[string]struct {
		status       int
		location     string
		body, want   string
		wantLocation string
		isCut        bool
	}{
		"an error":          {500, "", "no room", "no room", "", false},
		"nothing":           {404, "", "", "", "", false},
		"a yes with words":  {200, "", "thank you", "thank you", "", false},
		"a redirect":        {302, "https://bob:pw@shop.example/login?next=%2Fhook#top", "", "", "https://shop.example/login", false},
		"a hidden redirect": {302, "/login/token-of-the-shop", "", "", "/login/REDACTED", false},
		"no redirect":       {201, "/orders/1", "{}", "{}", "", false},
		"no location":       {302, "::", "", "", "", false},
		"secrets":           {500, "", "token-of-the-shop/0123456789abcdef/Zmlyc3Q=/c2Vjb25k", "REDACTED/REDACTED/REDACTED/REDACTED", "", false},
		"a token cut off":   {500, "", long[:mostKept-5] + "token-of-the-shop", long[:mostKept-5] + "REDAC", "", true},
		"two cut off":       {500, "", long[:mostKept-20] + "token-of-the-shop0123456789abcdef", long[:mostKept-20] + "REDACTEDREDACTED", "", true},
		"too much":          {500, "", long + "y", long, "", true},
		"just enough":       {500, "", long, long, "", false},
		"controls":          {500, "", "a\x1b[31m\r\nb\tc\x00\u202ed", "a\ufffd[31m\nb\tc\ufffd\ufffdd", "", false},
		"no UTF-8":          {500, "", "\xff\xfe", "\ufffd\ufffd", "", false},
		"a character cut":   {500, "", long[:mostKept-1] + "é!", long[:mostKept-1], "", true},
	} {
		header := http.Header{}
		if c.location != "" {
			header.Set("Location", c.location)
		}
		got := answerOf(Response{Status: c.status, Header: header, Body: []byte(c.body)}, secretsOf(sent))
		if want := (ledger.Answer{Status: c.status, Location: c.wantLocation, Body: c.want, Cut: c.isCut}); got == nil || *got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for _, body := range []string{"", "\n", "OK", "Success\n"} {
		if got := answerOf(Response{Status: 200, Body: []byte(body)}, nil); got != nil {
			t.Errorf("of a 200 that says %q is kept %+v", body, got)
		}
	}
	if got := answerOf(Response{}, nil); got != nil {
		t.Errorf("of no answer is kept %+v", got)
	}
	binary := strings.Repeat("\x80", 3*mostKept)
	if got := answerOf(Response{Status: 500, Body: []byte(binary)}, secretsOf(sent)); len(got.Body) > mostKept || !utf8.ValidString(got.Body) || !got.Cut {
		t.Errorf("of bytes are kept %d: %.20q", len(got.Body), got.Body)
	}
}
