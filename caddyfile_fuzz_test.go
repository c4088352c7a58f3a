package ccpayment

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/apiproxy"
	"github.com/seed-338f6760/caddy-ccpayment/internal/secrets"
)

// ownModules make what the JSON of a directive, or of the global option, is
// read into.
var ownModules = map[string]func() any{
	"ccpayment":          func() any { return new(App) },
	"ccpayment_webhook":  func() any { return new(Webhook) },
	"ccpayment_checkout": func() any { return new(Checkout) },
	"ccpayment_status":   func() any { return new(Status) },
	"ccpayment_api":      func() any { return new(API) },
}

// FuzzOptions: what a directive's parser takes is JSON that Caddy reads without
// an unknown field and writes again as it was; and whether its options are
// good is the same from the Caddyfile as from that JSON.
func FuzzOptions(f *testing.F) {
	for _, block := range []string{
		"ccpayment {\n app_id a\n app_secret b\n previous_secret c 2026-01-31T12:00:00Z\n order_prefix shop-\n api_timeout 3s\n store bolt {\n path x\n retention 9d\n wait 60s\n }\n account b {\n app_id c\n app_secret {env.S}\n }\n}",
		"ccpayment {\n account b {\n webhook_url https://shop.example/h\n previous_webhook_url https://old.example/h 2026-01-31T12:00:00Z\n testing on\n }\n}",
		"ccpayment {\n reconcile {\n every 5m\n scope account\n route r\n back 2d\n grace 1m\n }\n}",
		"ccpayment_webhook localhost:3000 https://app.example {\n allow_ips ccpayment 10.0.0.0/8\n max_size 32KiB\n accept_underpaid 1.5%\n ack ok\n retry {\n first 1s\n max 1m\n give_up 1h\n }\n}",
		"ccpayment_webhook {\n scheme rsa\n tolerance 1m\n stale reject\n confirm off\n risky forward\n late hold\n types A B\n statuses C\n body enriched\n token t\n sign standard MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n timeout 2s\n wait 1s\n}",
		"ccpayment_checkout {\n intercept 402 {\n order_id order.id\n price lines.#.sum\n }\n expires 1h\n methods GET post\n limit 5/1m\n checkout_hosts *.pay.example\n}",
		"ccpayment_checkout {\n link_secret secret-of-the-links another-secret-of-them\n return_url https://{host}/thanks?o={ccpayment.order_id}\n}",
		"ccpayment_checkout {\n buyer_price amount 1 100.50\n currency EUR\n coin USDT TRX\n order_id don-{http.request.uuid}\n product \"A cup\"\n}",
		"ccpayment_checkout {\n price 1e999999999\n notify_url http://[::1\n}",
		"ccpayment_status {\n account b\n cors https://shop.example *\n}",
		"ccpayment_checkout {\n price 1\n respond redirect\n status_token off\n}",
		"ccpayment_api {\n allow read getCoinList notify_url\n token t\n cache 1m getCoinList\n}",
		"ccpayment_api {\n cache off\n}", "ccpayment_api {", "ccpayment_status a {\n}", "ccpayment_webhook }", "ccpayment {\n account {\n", "ccpayment_webhook <<A\n b\n A",
	} {
		f.Add(block)
	}
	app := &App{now: time.Now}
	app.AppID, app.AppSecret = "app-123", "secret"
	f.Fuzz(func(t *testing.T, block string) {
		tokens, err := caddyfile.Tokenize([]byte(block), "Caddyfile")
		// What stands in deliver is other directives', which need a site around
		// them: FuzzCaddyfile has it. {file.…} reads the disk.
		isDeliver := func(token caddyfile.Token) bool { return token.Text == "deliver" }
		if err != nil || len(tokens) == 0 || slices.ContainsFunc(tokens, isDeliver) || strings.Contains(block, "{file") {
			return
		}
		empty := ownModules[tokens[0].Text]
		if empty == nil {
			return
		}
		parsed := parseOptions(tokens)
		if parsed == nil {
			return
		}
		read := empty()
		if err := caddy.StrictUnmarshalJSON(parsed, read); err != nil {
			t.Fatalf("%s of %q: %v", parsed, block, err)
		}
		if again := caddyconfig.JSON(read, nil); !bytes.Equal(again, parsed) {
			t.Fatalf("%q is %s, and that is %s", block, parsed, again)
		}
		first := checkOptions(app, read)
		if webhook, ok := read.(*Webhook); ok {
			parsed = caddyconfig.JSON(webhook, nil) // now with its defaults
		}
		read = empty()
		if err := caddy.StrictUnmarshalJSON(parsed, read); err != nil {
			t.Fatalf("%s of %q: %v", parsed, block, err)
		}
		if again := checkOptions(app, read); (first == nil) != (again == nil) {
			t.Fatalf("%q: at first %v, then %v", block, first, again)
		}
	})
}

// parseOptions returns what the tokens of a directive become, or nil.
func parseOptions(tokens []caddyfile.Token) json.RawMessage {
	d := caddyfile.NewDispenser(tokens)
	h := httpcaddyfile.Helper{Dispenser: d}
	var parsed any
	var err error
	switch tokens[0].Text {
	case "ccpayment":
		if parsed, err = parseApp(d, nil); err == nil {
			return parsed.(httpcaddyfile.App).Value
		}
	case "ccpayment_webhook":
		parsed, err = parseWebhook(h)
	case "ccpayment_checkout":
		parsed, err = parseCheckout(h)
	case "ccpayment_status":
		parsed, err = parseStatus(h)
	case "ccpayment_api":
		parsed, err = parseAPI(h)
	}
	if err != nil {
		return nil
	}
	return caddyconfig.JSON(parsed, nil)
}

// checkOptions checks a directive's options as loading it does, for the usual
// account.
func checkOptions(app *App, module any) error {
	app.secrets = secrets.New(caddy.NewReplacer(), zap.NewNop())
	switch h := module.(type) {
	case *Webhook:
		h.app = app
		h.setDefaults()
		if err := h.resolve(); err != nil {
			return err
		}
		return h.Validate()
	case *Checkout:
		h.app = app
		var err error
		if h.account, err = app.account(""); err != nil {
			return err
		}
		return h.resolve(caddy.NewReplacer(), true)
	case *API:
		account, err := app.account("")
		if err != nil {
			return err
		}
		_, err = apiproxy.New(apiproxy.Config{Account: account, Allow: h.Allow, Cache: h.Cache.resolved(), Now: app.now})
		return err
	default:
		return nil
	}
}

// FuzzCaddyfile: a Caddyfile is refused, or becomes JSON that Caddy reads back
// without an unknown field of ours, each time the same.
func FuzzCaddyfile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		config, _, _ := strings.Cut(string(text), "----------\n")
		f.Add(config)
	}
	f.Add(":80 {\n ccpayment_webhook /hook {\n deliver {\n @a path /a\n handle @a {\n reverse_proxy localhost:3000\n }\n respond 200\n }\n }\n}")
	f.Add("{\n ccpayment {\n app_id a\n }\n ccpayment {\n account b {\n app_id c\n }\n }\n}\n&(named) {\n ccpayment_status\n}\n:80 {\n invoke named\n}")
	adapter := caddyconfig.GetAdapter("caddyfile")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "file") {
			return // reads the disk
		}
		config, _, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			return
		}
		var root any
		if err := json.Unmarshal(config, &root); err != nil {
			t.Fatalf("%q becomes %s: %v", text, config, err)
		}
		checkModules(t, root)
		again, _, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err != nil || !bytes.Equal(config, again) {
			t.Fatalf("%q becomes %s, and then %s: %v", text, config, again, err)
		}
	})
}

// checkModules reads what is ours in a configuration as Caddy does.
func checkModules(t *testing.T, value any) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			checkModules(t, item)
		}
	case map[string]any:
		if name, ok := value["handler"].(string); ok && ownModules[name] != nil {
			delete(value, "handler")
			checkStrict(t, value, ownModules[name]())
		}
		if app, ok := value["ccpayment"].(map[string]any); ok && value["http"] != nil {
			checkStrict(t, app, new(App))
		}
		for _, item := range value {
			checkModules(t, item)
		}
	}
}

func checkStrict(t *testing.T, value map[string]any, into any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = caddy.StrictUnmarshalJSON(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
