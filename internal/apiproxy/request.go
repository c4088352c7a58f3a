package apiproxy

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// largestCall is how many bytes a call's body may have: twice what a batch of 500 payouts
// has whose remarks and memos are as long as can be and written in escapes, as PHP does.
const largestCall = 1 << 20

// forwarding are headers that proxies add. A request with one of them is not from this
// machine, even if the proxy is.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via", "Cf-Connecting-Ip", "True-Client-Ip"}

// checkCaller refuses browsers, wrong tokens, and clients without a token that are not
// on this machine by the connection's own address. nil: the client may call.
func (p *Proxy) checkCaller(r *http.Request) *errorResponse {
	want := p.token()
	if len(r.Header.Values("Origin")) > 0 || isPages(r.Header.Values("Sec-Fetch-Site")) {
		return refuse(http.StatusForbidden, "a browser's request is not served: call from your app's server")
	}
	given := r.Header.Values("Authorization")
	if len(given) > 0 {
		scheme, token, _ := strings.Cut(given[0], " ")
		matches := subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1
		if want == "" || len(given) > 1 || !strings.EqualFold(scheme, "Bearer") || !matches {
			return refuse(http.StatusUnauthorized, "the token is wrong")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	local := err == nil && checkout.IsLoopback(host)
	for _, name := range forwarding {
		local = local && len(r.Header.Values(name)) == 0
	}
	switch {
	case local:
		return nil
	case want == "":
		return refuse(http.StatusForbidden, "only apps on this machine are served: set `token` in ccpayment_api for others")
	default:
		return refuse(http.StatusUnauthorized, "send `Authorization: Bearer <token>`")
	}
}

// isPages reports whether a page in a browser made a request, as it says itself: also one
// without Origin, such as an image's. A person who types an address is no page: none.
func isPages(sites []string) bool {
	return slices.ContainsFunc(sites, func(site string) bool { return site != "none" })
}

// find returns the endpoint that a request is for, and the order's id where that is
// one of an order. asked is the URL before any handler cleaned its path: if that was not clean,
// there is no endpoint, so that a proxy that guards paths in front of Caddy and Caddy
// itself cannot read one path differently.
func (p *Proxy) find(w http.ResponseWriter, r *http.Request, asked *url.URL) (endpoint gateway.Endpoint, orderID string, refusal *errorResponse) {
	found, orderID := p.match(r, asked)
	allowed := slices.ContainsFunc(found, func(e gateway.Endpoint) bool { return p.allowed.endpoints[e.Name] })
	at := slices.IndexFunc(found, func(e gateway.Endpoint) bool { return e.Method == r.Method })
	switch {
	case len(found) == 0:
		return endpoint, "", refuse(http.StatusNotFound, "there is no endpoint %.100q: see docs/api.md for those of %s", strings.TrimPrefix(asked.Path, "/"), p.account.Info.Title)
	case at < 0 && allowed:
		for _, e := range found {
			w.Header().Add("Allow", e.Method)
		}
		return endpoint, "", refuse(http.StatusMethodNotAllowed, "use %s", strings.Join(w.Header().Values("Allow"), " or "))
	case at >= 0:
		endpoint = found[at]
	default:
		endpoint = found[0]
	}
	if !p.allowed.endpoints[endpoint.Name] {
		return endpoint, "", refuse(http.StatusForbidden, "%s is not allowed here: `allow %s`, or its group `allow %s`, in ccpayment_api lets it through",
			endpoint.Name, quoted(endpoint.Name), endpoint.Group)
	}
	return endpoint, orderID, nil
}

// quoted is a name as a Caddyfile has it.
func quoted(name string) string {
	if strings.Contains(name, " ") {
		return strconv.Quote(name)
	}
	return name
}

// match returns the endpoints that have a request's path, whatever their method. An
// order's id may stand in the query instead, where a path that has it would not be clean.
func (p *Proxy) match(r *http.Request, asked *url.URL) (found []gateway.Endpoint, orderID string) {
	if path.Clean(asked.Path) != asked.Path || escapedSlashes(asked) > escapedSlashes(r.URL) {
		return nil, ""
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	id, isOrder := strings.CutPrefix(name, ownOrders.Name+"/")
	if ids := r.URL.Query()["order_id"]; name == ownOrders.Name && len(ids) == 1 {
		id, isOrder = ids[0], true
	}
	switch {
	case len(p.own()) == 0:
	case isOrder && checkout.CheckOrderID(id) == nil:
		return []gateway.Endpoint{ownOrders, ownClose}, id
	case name == ownCheckout.Name:
		return []gateway.Endpoint{ownCheckout}, ""
	}
	for _, method := range p.methods {
		if e, ok := p.api.FindEndpoint(method, r.URL.EscapedPath()); ok {
			found = append(found, e)
		}
	}
	return found, ""
}

// escapedSlashes counts the slashes of a path that are escaped. One in the part that was
// cut off is read as a slash by some, and by others not.
func escapedSlashes(u *url.URL) int {
	return strings.Count(strings.ToLower(u.EscapedPath()), "%2f")
}

// readBody reads a call's body: a JSON object, or nothing. null and [] are nothing too:
// CCPayment's own PHP software writes so. GET and DELETE have none.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *errorResponse) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		if n, _ := io.CopyN(io.Discard, r.Body, 1); n > 0 {
			return nil, refuse(http.StatusBadRequest, "%s takes no body: parameters stand in the query", r.Method)
		}
		return nil, nil
	}
	if contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || contentType != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestCall))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", largestCall)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body did not arrive whole")
	}
	if body = bytes.TrimSpace(strictjson.WithoutBOM(body)); len(body) == 0 {
		return nil, nil
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, body)
	if text := compact.String(); err == nil && (text == "null" || text == "[]") {
		return nil, nil
	}
	if err != nil || body[0] != '{' {
		return nil, refuse(http.StatusBadRequest, "the body is not a JSON object")
	}
	if name := strictjson.RepeatedKey(body); name != "" {
		return nil, refuse(http.StatusBadRequest, "the key %.60q stands twice in the body", name)
	}
	return compact.Bytes(), nil
}

// checkBody refuses a body with a repeated key, or with a key of the endpoint's that says
// where webhooks or money go where that is not allowed. It reports whether the body says
// where webhooks go. Keys are compared without case, as the most lenient parsers do.
func (p *Proxy) checkBody(endpoint gateway.Endpoint, body []byte) (namesURL bool, refusal *errorResponse) {
	seen := make(map[string]bool)
	gjson.ParseBytes(body).ForEach(func(key, _ gjson.Result) bool {
		name := strings.ToLower(key.Str)
		switch hook, payout := keyIn(endpoint.WebhookKeys, key.Str), keyIn(endpoint.PayoutKeys, key.Str); {
		case seen[name]:
			refusal = refuse(http.StatusBadRequest, "the key %.60q stands twice in the body", key.Str)
		case hook != "" && !p.allowed.notifyURL:
			refusal = refuse(http.StatusForbidden, "%s is not allowed here: webhooks go to the account's webhook_url; `allow notify_url` lets a call name another", hook)
		case payout != "" && !p.allowed.payouts:
			refusal = refuse(http.StatusForbidden, "%s is not allowed here: it says where money goes, and `allow withdraw` lets a call say it", payout)
		default:
			namesURL = namesURL || hook != ""
		}
		seen[name] = true
		return refusal == nil
	})
	return namesURL, refusal
}

// keyIn returns the one of the keys that a key is, in whatever case; empty: none.
func keyIn(keys []string, key string) string {
	if i := slices.IndexFunc(keys, func(k string) bool { return strings.EqualFold(k, key) }); i >= 0 {
		return keys[i]
	}
	return ""
}
