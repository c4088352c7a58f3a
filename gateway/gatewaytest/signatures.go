package gatewaytest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// body is what the signed webhooks of these tests say. Verifying does not read it.
var body = []byte(`{"type":"x","id":"1710232720","more":["a","b"]}`)

// signing is what a right webhook is signed with.
func (s *stand) signing() Signing {
	return Signing{AccountID: s.AccountID, Secret: s.Secret, URL: s.hookURL, At: time.Now().Truncate(time.Second), Body: body}
}

// verify verifies a webhook with these headers and this body. The error must be one that
// whoever sent it is answered with, and must not help to forge a better one.
func (s *stand) verify(t *testing.T, what string, header http.Header, body []byte) (time.Time, error) {
	t.Helper()
	return s.verifyBy(t, what, s.account.Gateway, gateway.Request{Method: http.MethodPost, URL: s.hookURL, Header: header, Body: body}, time.Now())
}

func (s *stand) verifyBy(t *testing.T, what string, g gateway.Gateway, r gateway.Request, now time.Time) (time.Time, error) {
	t.Helper()
	at, err := g.Verify(r, now)
	if err == nil {
		return at, nil
	}
	if !errors.Is(err, gateway.ErrMalformed) && !errors.Is(err, gateway.ErrSignature) {
		t.Errorf("%s: the error %v is neither that of a form nor of a signature", what, err)
	}
	right := s.signing()
	right.URL, right.Body = r.URL, r.Body
	for _, secret := range []string{s.Secret, s.sandbox.Sign(right).Get(s.account.Info.SignatureHeader)} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error says a secret or the right signature: %v", what, err)
		}
	}
	return at, err
}

// refuses fails the test unless a webhook is refused; want is the error, nil: either.
func (s *stand) refuses(t *testing.T, what string, header http.Header, body []byte, want error) {
	t.Helper()
	if _, err := s.verify(t, what, header, body); err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: the error is %v, want %v", what, err, want)
	}
}

func with(header http.Header, name string, values ...string) http.Header {
	header = header.Clone()
	header.Del(name)
	if len(values) > 0 {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header
}

// headers are those that every webhook has.
func (s *stand) headers() []string {
	list := []string{s.account.Info.SignatureHeader, s.TimestampHeader}
	if s.AccountHeader != "" {
		list = append(list, s.AccountHeader)
	}
	return list
}

// info: what the suite and the core go by is there, and makes sense.
func info(t *testing.T, s *stand) {
	i := s.account.Info
	if i.Name == "" || i.Title == "" || i.AccountID == "" || i.Ack.Body == "" || len(i.Types) == 0 || len(i.Statuses) == 0 {
		t.Errorf("a name, a title, an account, an ack, types or statuses are missing: %+v", i)
	}
	names := make(map[string]bool)
	for _, status := range i.Statuses {
		if name := strings.ToLower(status.Name); names[name] || status.Rank < 1 || status.Stage == gateway.Unknown {
			t.Errorf("the status %+v is there twice, or has no rank or stage", status)
		} else {
			names[name] = true
		}
	}
	if i.AccountHeader != s.AccountHeader || i.TimestampHeader != s.TimestampHeader {
		t.Errorf("the headers with the account and the time are %q and %q, want %q and %q", i.AccountHeader, i.TimestampHeader, s.AccountHeader, s.TimestampHeader)
	}
	header := s.sandbox.Sign(s.signing())
	for _, name := range s.headers() {
		if name = http.CanonicalHeaderKey(name); len(header[name]) != 1 {
			t.Errorf("a webhook has no header %s, or not in its canonical form: %v", name, header)
		}
	}
	if s.sessions != nil && (i.Limits.LongestOrderID < i.Limits.ShortestOrderID || i.Limits.LongestOrderID == 0 || len(i.PageHosts) == 0) {
		t.Errorf("a gateway with checkouts needs limits and page hosts: %+v", i)
	}
	key := s.account.Gateway.Key("a")
	if len(key) < 16 || string(key) != string(s.account.Gateway.Key("a")) || string(key) == string(s.account.Gateway.Key("b")) {
		t.Error("a key is short, or not the same every time, or the same for another purpose")
	}
}

// signature: a right webhook verifies and says when it was signed, and one that was signed
// with anything else does not.
func signature(t *testing.T, s *stand) {
	right := s.signing()
	for _, at := range []time.Time{right.At, right.At.Add(-24 * time.Hour), right.At.Add(time.Hour)} { // the caller checks how old it is
		signing := right
		signing.At = at
		got, err := s.verify(t, "a right one", s.sandbox.Sign(signing), body)
		if err != nil || !got.Truncate(time.Second).Equal(at) {
			t.Errorf("a right one of %s was signed at %s, %v", at, got, err)
		}
	}
	header := s.sandbox.Sign(right)
	for what, other := range map[string]string{
		"a space": string(body) + " ", "a line break": string(body) + "\n", "none": "", "NUL": string(body) + "\x00",
		"written anew": strings.ReplaceAll(string(body), ",", ", "), "shorter": string(body[:len(body)-1]), "a mark": "\ufeff" + string(body),
	} {
		s.refuses(t, "another body: "+what, header, []byte(other), gateway.ErrSignature)
	}
	for what, change := range map[string]func(*Signing){
		"another secret":   func(s *Signing) { s.Secret += "x" },
		"no secret":        func(s *Signing) { s.Secret = "" },
		"another account":  func(o *Signing) { o.AccountID = s.StrangerID },
		"a stranger's own": func(o *Signing) { o.AccountID, o.Secret = s.StrangerID, "a stranger's" },
	} {
		other := right
		if change(&other); s.AccountHeader == "" && other.Secret == s.Secret {
			continue // nothing tells the two accounts apart
		}
		s.refuses(t, what, s.sandbox.Sign(other), body, gateway.ErrSignature)
	}
	later := right
	later.At = right.At.Add(time.Minute)
	s.refuses(t, "another time", with(header, s.TimestampHeader, s.sandbox.Sign(later).Get(s.TimestampHeader)), body, gateway.ErrSignature)
	if s.AccountHeader != "" {
		s.refuses(t, "another's account", with(header, s.AccountHeader, s.StrangerID), body, gateway.ErrSignature)
	}
	s.refuses(t, "no headers", nil, body, gateway.ErrMalformed)
}

// explained: what people sign verifies, and of a signature they learn whether the account's
// secret made it.
func explained(t *testing.T, s *stand) {
	explainer, ok := s.account.Gateway.(gateway.Explainer)
	if !ok {
		t.Skip("it explains no signatures")
	}
	right := s.signing()
	pairs, err := explainer.SignRequest(gateway.SignRequest{Method: http.MethodPost, URL: s.hookURL, Now: right.At, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	header := make(http.Header)
	for _, pair := range pairs {
		header.Set(pair[0], pair[1])
	}
	if at, err := s.verify(t, "what people sign", header, body); err != nil || !at.Truncate(time.Second).Equal(right.At) {
		t.Errorf("what people sign was signed at %s, %v", at, err)
	}
	for _, header := range []http.Header{header, s.sandbox.Sign(right)} {
		origin, err := explainer.Explain(gateway.SignedWebhook{Header: header, URL: s.hookURL, Body: body}, right.At)
		if err != nil || origin.Secret == "" || origin.Ended || !origin.IsOurs || s.TimestampHeader != "" && !origin.SignedAt.Truncate(time.Second).Equal(right.At) {
			t.Errorf("a right one: %+v, %v", origin, err)
		}
		origin, err = explainer.Explain(gateway.SignedWebhook{Header: header, URL: s.hookURL, Body: append([]byte(" "), body...)}, right.At)
		if err != nil || origin.Secret != "" {
			t.Errorf("of another body: %+v, %v", origin, err)
		}
	}
	if _, err := explainer.Explain(gateway.SignedWebhook{Body: body}, right.At); !errors.Is(err, gateway.ErrMalformed) {
		t.Errorf("without headers: %v", err)
	}
}

// headers: each header is there once, and has its form.
func headers(t *testing.T, s *stand) {
	right := s.sandbox.Sign(s.signing())
	sign := s.account.Info.SignatureHeader
	for _, name := range s.headers() {
		name = http.CanonicalHeaderKey(name)
		value := right.Get(name)
		for what, values := range map[string][]string{
			"missing": nil, "empty": {""}, "the same twice": {value, value}, "another behind": {value, "x"}, "another in front": {"x", value},
			"an empty one behind": {value, ""}, "an empty one in front": {"", value},
		} {
			s.refuses(t, name+", "+what, with(right, name, values...), body, gateway.ErrMalformed)
		}
		for what, other := range map[string]string{
			"a list": value + ", " + value, "a space": value + " ", "a space in front": " " + value, "a line break": value + "\r\n", "NUL": value + "\x00",
			"cut off": value[:len(value)-1], "without its front": value[1:], "long": strings.Repeat(value, 1<<12),
		} {
			s.refuses(t, name+", "+what, with(right, name, other), body, nil)
		}
	}
	for at := range right.Get(sign) {
		text := []byte(right.Get(sign))
		if text[at] ^= 1; text[at] == '=' || at == len(text)-2 { // bits behind the last byte may not count
			continue
		}
		s.refuses(t, "a bit of the signature", with(right, sign, string(text)), body, nil)
	}
	s.refuses(t, "a time that is none", with(right, s.TimestampHeader, "yesterday"), body, gateway.ErrMalformed)
}

// moved: what is signed in a row cannot be divided in another way.
func moved(t *testing.T, s *stand) {
	header := s.sandbox.Sign(s.signing())
	account, timestamp := "", header.Get(s.TimestampHeader)
	if s.AccountHeader != "" {
		account = header.Get(s.AccountHeader)
	}
	as := func(as, timestamp string) http.Header {
		if account == "" {
			return with(header, s.TimestampHeader, timestamp)
		}
		return with(with(header, s.AccountHeader, as), s.TimestampHeader, timestamp)
	}
	for n := 1; n <= len(body); n++ {
		s.refuses(t, "the body's front moved into the timestamp", as(account, timestamp+string(body[:n])), body[n:], nil)
	}
	for n := 1; n < len(timestamp); n++ {
		front, end := timestamp[:len(timestamp)-n], timestamp[len(timestamp)-n:]
		s.refuses(t, "the timestamp's end moved into the body", as(account, front), append([]byte(end), body...), nil)
		s.refuses(t, "the timestamp's front moved into the account", as(account+timestamp[:n], timestamp[n:]), body, nil)
	}
	for n := 1; n < len(account); n++ {
		s.refuses(t, "the account's end moved into the timestamp", as(account[:len(account)-n], account[len(account)-n:]+timestamp), body, nil)
	}
}

// forged: signatures that are almost the gateway's are none.
func forged(t *testing.T, s *stand) {
	if len(s.Forgeries) == 0 {
		t.Error("no forgeries are given: how may others think that the gateway signs?")
	}
	for what, sign := range s.Forgeries {
		s.refuses(t, what, sign(s.signing()), body, nil)
	}
}

// urls: where the URL is signed it is the one that is configured, or one that it has
// replaced, and never none.
func urls(t *testing.T, s *stand) {
	if !s.account.Info.SignsURL {
		t.Skip("the gateway does not sign the URL")
	}
	right := s.signing()
	for what, other := range map[string]string{
		"a slash": right.URL + "/", "a query": right.URL + "?a=1", "a fragment": right.URL + "#a", "https": strings.Replace(right.URL, "http:", "https:", 1),
		"capitals": strings.ToUpper(right.URL), "the path": "/hook", "none": "", "another host": "https://shop.example.com/hook",
	} {
		signing := right
		signing.URL = other
		header := s.sandbox.Sign(signing)
		s.refuses(t, what, header, body, gateway.ErrSignature)
		header.Set("X-Forwarded-Host", "shop.example.com")
		header.Set("X-Forwarded-Proto", "https")
		s.refuses(t, what+", which the request claims", header, body, gateway.ErrSignature)
		if _, err := s.verifyBy(t, what, s.account.Gateway, gateway.Request{Method: http.MethodPost, Header: header, Body: body}, time.Now()); err == nil {
			t.Errorf("%s: it verifies where no URL is configured", what)
		}
	}
	now := time.Now()
	end := now.Add(time.Hour)
	for _, test := range []struct {
		url  string
		at   time.Time
		want bool
	}{
		{right.URL, now, true},
		{"https://old.example/hook", end.Add(1000 * time.Hour), true},
		{"https://older.example/hook", end, true},
		{"https://older.example/hook", end.Add(time.Second), false},
		{"https://other.example/hook", now, false},
	} {
		signing := right
		signing.URL = test.url
		r := gateway.Request{Method: http.MethodPost, URL: s.hookURL, Header: s.sandbox.Sign(signing), Body: body, PreviousURLs: []gateway.PreviousURL{
			{URL: "https://old.example/hook"}, {URL: "https://older.example/hook", Until: end},
		}}
		if _, err := s.verifyBy(t, test.url, s.account.Gateway, r, test.at); (err == nil) != test.want {
			t.Errorf("%s at %s: %v, want a yes to be %t", test.url, test.at, err, test.want)
		}
	}
}
