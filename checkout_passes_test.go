package ccpayment_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encoded returns a text in a content coding.
func encoded(t *testing.T, encoding, text string) string {
	t.Helper()
	var body bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&body)
	case "br":
		w = brotli.NewWriter(&body)
	case "zstd":
		encoder, err := zstd.NewWriter(&body)
		if err != nil {
			t.Fatal(err)
		}
		w = encoder
	default:
		return text
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body.String()
}

// TestCase03_ForeignResponsesPass: a 402 that asks for no checkout reaches the client
// byte for byte, with its headers and trailers.
func TestCase03_ForeignResponsesPass(t *testing.T) {
	const x402 = `{"x402Version":1,"accepts":[{"scheme":"exact","maxAmountRequired":"10000"}],"error":"payment required"}`
	large := `{"order_id":"order-1","price":"10","x":"` + strings.Repeat("x", 64<<10) + `"}`
	for name, test := range map[string]struct{ encoding, body string }{
		"x402":                            {"", x402},
		"x402 in gzip":                    {"gzip", x402},
		"x402 in br":                      {"br", x402},
		"x402 in zstd":                    {"zstd", x402},
		"order id of another kind":        {"", `{"order_id":{"id":1},"price":"10"}`},
		"keys twice and no order id":      {"", `{"a":1,"a":2}`},
		"no JSON":                         {"", "<br /> Warning: Undefined variable $cart in cart.php" + cart},
		"empty":                           {"", ""},
		"large":                           {"", large},
		"large when decoded, in gzip":     {"gzip", large},
		"large when decoded, in br":       {"br", large},
		"large when decoded, in zstd":     {"zstd", large},
		"an encoding that nobody knows":   {"dcb", cart},
		"two encodings":                   {"gzip, br", cart},
		"not of the encoding it says":     {"br", "\x00" + cart},
		"gzip that breaks off at its end": {"gzip", encodedHalf(t, cart)},
	} {
		t.Run(name, func(t *testing.T) {
			body := test.body
			if !strings.HasPrefix(body, "\x00") && !strings.HasPrefix(body, "\x1f") {
				body = encoded(t, test.encoding, body)
			}
			s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
				header := w.Header()
				header.Set("Content-Type", "application/json")
				header.Set("WWW-Authenticate", `L402 invoice="lnbc1"`)
				if test.encoding != "" {
					header.Set("Content-Encoding", test.encoding)
				}
				if r.URL.Path == "/streamed" {
					header.Set("Trailer", "X-Checksum")
				} else {
					header.Set("Content-Length", strconv.Itoa(len(body)))
				}
				w.WriteHeader(http.StatusPaymentRequired)
				_, _ = io.WriteString(w, body)
				header.Set("X-Checksum", "abc")
			})
			for _, path := range []string{"/whole", "/streamed"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.addr+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Accept-Encoding", "gzip, br, zstd")
				response, err := s.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := readReply(response)
				if err != nil || got.status != http.StatusPaymentRequired || got.body != body {
					t.Errorf("%s: got %d and %d bytes, %v, want 402 and the app's %d bytes", path, got.status, len(got.body), err, len(body))
				}
				if got.header.Get("WWW-Authenticate") == "" || got.header.Get("Content-Encoding") != test.encoding {
					t.Errorf("%s: its headers came as %v", path, got.header)
				}
				if path == "/whole" && got.header.Get("Content-Length") != strconv.Itoa(len(body)) {
					t.Errorf("%s: its length came as %q", path, got.header.Get("Content-Length"))
				}
				if path == "/streamed" && response.Trailer.Get("X-Checksum") != "abc" {
					t.Errorf("%s: its trailers came as %v", path, response.Trailer)
				}
			}
			if strings.Contains(s.logs(), "made an order") {
				t.Error("it made an order")
			}
		})
	}
}

func encodedHalf(t *testing.T, text string) string {
	whole := encoded(t, "gzip", text)
	return whole[:len(whole)/2]
}

// TestCase03_LargeResponsesStream: of a large response only so much is kept back as an
// offer may have; the client has the rest while the app still writes.
func TestCase03_LargeResponsesStream(t *testing.T) {
	part := strings.Repeat("x", 16<<10)
	s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusPaymentRequired)
		for range 5 {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr+"/report", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.CopyN(io.Discard, response.Body, int64(5*len(part))); err != nil || response.StatusCode != http.StatusPaymentRequired {
		t.Errorf("%d: %d bytes came while the app was writing: %v", response.StatusCode, n, err)
	}
}

// TestCase04_EncodedOffers: an offer is taken in every encoding that browsers ask for.
func TestCase04_EncodedOffers(t *testing.T) {
	for _, encoding := range []string{"", "identity", "gzip", "GZIP", "br", "zstd"} {
		s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", encoding)
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, encoded(t, strings.ToLower(encoding), cart))
		})
		v := s.visit(http.MethodPost, "/buy", "", http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}})
		if v.status != http.StatusCreated || v.answer.CheckoutURL == "" || v.header.Get("Content-Encoding") != "" {
			t.Errorf("%q: %d %v %s", encoding, v.status, v.header, v.body)
		}
	}
}

// TestCase05_HeadersThatStay: what the app says of cookies, of who may read the response
// and of the page stays, once, in checkouts and in errors; what is of its body goes.
func TestCase05_HeadersThatStay(t *testing.T) {
	stay := map[string]string{
		"Set-Cookie": "cart=1", "Vary": "Origin", "Content-Security-Policy": "default-src 'self'", "Server-Timing": "db;dur=5",
		"Content-Security-Policy-Report-Only": "default-src 'none'", "Timing-Allow-Origin": "https://shop.example",
		"Access-Control-Allow-Origin": "https://shop.example", "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-Cart",
	}
	for terms, want := range map[string]int{cart: 201, `{"order_id":"order-1"}`: 502} {
		s := checkoutShop(t, "", func(w http.ResponseWriter, r *http.Request) {
			for name, value := range stay {
				w.Header().Set(name, value)
			}
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("X-Cart", "1")
			asks(terms)(w, r)
		})
		for _, header := range []http.Header{{}, navigates} {
			v := s.visit(http.MethodPost, "/buy", "", header)
			if v.status != want && v.status != 303 {
				t.Errorf("%d %s, want %d", v.status, v.body, want)
			}
			for name, value := range stay {
				if got := v.header.Values(name); len(got) == 0 || got[0] != value || len(got) > 1 && name != "Set-Cookie" {
					t.Errorf("%d: %s came as %q", v.status, name, got)
				}
			}
			if v.header.Get("ETag") != "" || v.header.Get("X-Cart") != "" {
				t.Errorf("%d: headers of the app's body came: %v", v.status, v.header)
			}
		}
	}
}
