package ccpayment

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
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/tidwall/gjson"
)

// largestCall is how long a call's body may be.
const largestCall = 64 << 10

// forwarding are the headers that a proxy adds. Whoever comes with one is not
// on this machine, only the proxy is.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via", "Cf-Connecting-Ip", "True-Client-Ip"}

// checkCaller refuses browsers, wrong tokens, and peers without one that are not
// on this machine, by the connection's own address.
func (h *API) checkCaller(r *http.Request) *apiRefusal {
	if len(r.Header.Values("Origin")) > 0 {
		return refuseAPI(http.StatusForbidden, "a browser's request is not served: call from your app's server")
	}
	given := r.Header.Values("Authorization")
	if len(given) > 0 {
		scheme, token, _ := strings.Cut(given[0], " ")
		matches := subtle.ConstantTimeCompare([]byte(token), []byte(h.token)) == 1
		if h.token == "" || len(given) > 1 || !strings.EqualFold(scheme, "Bearer") || !matches {
			return refuseAPI(http.StatusUnauthorized, "the token is wrong")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	local := err == nil && isLoopback(host)
	for _, name := range forwarding {
		local = local && len(r.Header.Values(name)) == 0
	}
	switch {
	case local:
		return nil
	case h.token == "":
		return refuseAPI(http.StatusForbidden, "only apps on this machine are served: set `token` in ccpayment_api for others")
	default:
		return refuseAPI(http.StatusUnauthorized, "send `Authorization: Bearer <token>`")
	}
}

// target is the endpoint or the door that a request names, and for a door to an
// order its id. Handlers before this one clean paths; one that was not clean as
// it came names nothing, so that whoever guards a path in front of Caddy and
// Caddy cannot mean different ones.
func target(r *http.Request) (name, orderID string) {
	asked := r.URL.Path
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		asked = original.URL.Path
	}
	if path.Clean(asked) != asked {
		return asked, ""
	}
	name = strings.TrimPrefix(r.URL.Path, "/")
	if id, isOrder := strings.CutPrefix(name, doorOrders+"/"); isOrder {
		return doorOrders, id
	}
	return name, ""
}

// readObject reads a call's body: a JSON object, or nothing.
func readObject(w http.ResponseWriter, r *http.Request) ([]byte, *apiRefusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuseAPI(http.StatusMethodNotAllowed, "use POST")
	}
	if contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || contentType != "application/json" {
		return nil, refuseAPI(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestCall))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuseAPI(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", largestCall)
	case err != nil:
		return nil, refuseAPI(http.StatusBadRequest, "the body did not arrive whole")
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil, nil
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil || body[0] != '{' {
		return nil, refuseAPI(http.StatusBadRequest, "the body is not a JSON object")
	}
	if name := repeatedKey(body); name != "" {
		return nil, refuseAPI(http.StatusBadRequest, "the key %.60q stands twice in the body", name)
	}
	return compact.Bytes(), nil
}

// checkBody refuses what a body must not name, and adds where the account's
// webhooks are sent. Names are compared as the laxest of parsers does.
func (h *API) checkBody(endpoint string, body []byte) ([]byte, *apiRefusal) {
	seen := make(map[string]bool)
	var refusal *apiRefusal
	gjson.ParseBytes(body).ForEach(func(key, _ gjson.Result) bool {
		name := strings.ToLower(key.Str)
		switch {
		case seen[name]:
			refusal = refuseAPI(http.StatusBadRequest, "the key %.60q stands twice in the body", key.Str)
		case name == "notifyurl" && !h.notifyURL:
			refusal = refuseAPI(http.StatusForbidden, "notifyUrl is not allowed here: webhooks go to the account's webhook_url; `allow notify_url` lets a call name another")
		}
		seen[name] = true
		return refusal == nil
	})
	if refusal != nil || h.till.webhookURL == "" || seen["notifyurl"] {
		return body, refusal
	}
	for _, name := range notifying {
		if name == endpoint {
			return withMember(body, "notifyUrl", h.till.webhookURL), nil
		}
	}
	return body, nil
}

// withMember adds a member in front of a compact object's.
func withMember(object []byte, name, value string) []byte {
	member := []byte("{" + strconv.Quote(name) + ":" + string(gjson.AppendJSONString(nil, value)))
	if len(object) <= len("{}") {
		return append(member, '}')
	}
	return append(append(member, ','), object[1:]...)
}

// longestLoggedID bounds what a log line has of an order id: CCPayment's have 64
// characters at most.
const longestLoggedID = 64

func orderIDOf(body []byte) string {
	id := text(gjson.GetBytes(body, "orderId"))
	return id[:min(len(id), longestLoggedID)]
}
