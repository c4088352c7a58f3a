package ccpayment

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/console"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/options"
)

func init() {
	caddy.RegisterModule(new(Console))
	httpcaddyfile.RegisterHandlerDirective("ccpayment_console", parseConsole)
}

// Console serves the operator's page: how things stand, the ledger's events and orders, and
// what people do with them. Put what knows your people in front of it, such as `basic_auth`
// or `forward_auth`: without a user it answers 403. It works under any path.
type Console struct {
	// Who acts, which stands in the history of the events and in the log. It may have any
	// placeholder; where one has no value, the answer is 403. Default:
	// `{http.auth.user.id}`.
	User string `json:"user,omitempty"`

	// `full`, or `read`: nothing can be changed. Default: full.
	Access string `json:"access,omitempty"`

	page *console.Handler
}

// What consoles show of this process: what is done in the background, and the last hour.
var (
	works    operator.Works
	lastHour operator.Hour
	refusals operator.Refusals
)

// CaddyModule returns the Caddy module information.
func (*Console) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ccpayment_console",
		New: func() caddy.Module { return new(Console) },
	}
}

// Provision checks the options.
func (h *Console) Provision(ctx caddy.Context) error {
	if h.User == "" {
		h.User = "{http.auth.user.id}"
	}
	if strings.Count(h.User, "{") != strings.Count(h.User, "}") {
		return fmt.Errorf("user %q has a brace that is not closed", h.User)
	}
	if h.Access != "" && h.Access != "full" && h.Access != "read" {
		return fmt.Errorf("access is %q: use full or read", h.Access)
	}
	h.page = &console.Handler{Use: useOperator, Orders: orderStatus, Works: &works, Hour: &lastHour, ReadOnly: h.Access == "read"}
	_, err := appOf(ctx)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	asked := r.URL.Path
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		asked = original.URL.Path
	}
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	user, _ := repl.ReplaceOrErr(h.User, true, true) // empty, where a part of it is not known
	return h.page.ServeHTTP(w, r, asked, user)
}

// parseConsole sets up the console from Caddyfile tokens. Syntax:
//
//	ccpayment_console [<matcher>] {
//		user   <text>
//		access full | read
//	}
func parseConsole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	c := new(Console)
	return c, options.Block(h.Dispenser, map[string]*string{"user": &c.User, "access": &c.Access})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Console)(nil)
	_ caddyhttp.MiddlewareHandler = (*Console)(nil)
)
