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
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/internal/strictjson"
)

// largestCall is how many bytes a call's body may have.
const largestCall = 64 << 10

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

// target returns the endpoint that a path names, and the order's id where it names an
// order. asked is the path before any handler cleaned it: if that was not clean, there
// is no endpoint, so that a proxy that guards paths in front of Caddy and Caddy itself
// cannot read one path differently. An order's id may stand in the query instead, where
// a path that has it would not be clean.
func target(r *http.Request, asked string) (name, orderID string) {
	if path.Clean(asked) != asked {
		return asked, ""
	}
	name = strings.TrimPrefix(r.URL.Path, "/")
	if name == ownOrders {
		if ids := r.URL.Query()["order_id"]; len(ids) == 1 {
			return ownOrders, ids[0]
		}
	}
	if id, isOrder := strings.CutPrefix(name, ownOrders+"/"); isOrder {
		return ownOrders, id
	}
	return name, ""
}

// readObject reads a call's body: a JSON object, or nothing. null and [] are nothing
// too: CCPayment's own PHP software writes so.
func readObject(w http.ResponseWriter, r *http.Request) ([]byte, *errorResponse) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(http.StatusMethodNotAllowed, "use POST")
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

// checkBody refuses a body with a repeated key, or with notifyUrl where that is not
// allowed, and adds the account's webhook URL where the endpoint takes one. Keys are
// compared without case, as the most lenient parsers do.
func (p *Proxy) checkBody(endpoint string, body []byte) ([]byte, *errorResponse) {
	seen := make(map[string]bool)
	var refusal *errorResponse
	gjson.ParseBytes(body).ForEach(func(key, _ gjson.Result) bool {
		name := strings.ToLower(key.Str)
		switch {
		case seen[name]:
			refusal = refuse(http.StatusBadRequest, "the key %.60q stands twice in the body", key.Str)
		case name == "notifyurl" && !p.notifyURL:
			refusal = refuse(http.StatusForbidden, "notifyUrl is not allowed here: webhooks go to the account's webhook_url; `allow notify_url` lets a call name another")
		}
		seen[name] = true
		return refusal == nil
	})
	if refusal != nil || p.account.WebhookURL == "" || seen["notifyurl"] {
		return body, refusal
	}
	for _, name := range notifying {
		if name == endpoint {
			return withMember(body, "notifyUrl", p.account.WebhookURL), nil
		}
	}
	return body, nil
}

// withMember returns a compact JSON object with a member added in front.
func withMember(object []byte, name, value string) []byte {
	member := []byte("{" + strconv.Quote(name) + ":" + string(gjson.AppendJSONString(nil, value)))
	if len(object) <= len("{}") {
		return append(member, '}')
	}
	return append(append(member, ','), object[1:]...)
}

func orderIDOf(body []byte) string { return strictjson.Text(gjson.GetBytes(body, "orderId")) }
