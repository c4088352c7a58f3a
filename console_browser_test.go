package ccpayment_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// axeScript is axe-core, which finds what keeps people out who use a page by ear, by
// keyboard or with weak eyes.
func axeScript(t *testing.T) string {
	t.Helper()
	root, err := exec.Command(needs.Command(t, "npm"), "root", "-g").Output()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "axe-core", "axe.min.js"))
	if err != nil {
		needs.Missing(t, "axe-core")
	}
	return string(script)
}

const (
	// consoleOverflows names the elements that stick out of the page, or nothing.
	consoleOverflows = `[...document.querySelectorAll("body *")].filter(e => !e.closest("pre, svg, .skip") &&
		e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.tagName + "." + e.className).join(" ") +
		(document.documentElement.scrollWidth > innerWidth ? " the page" : "")`
	// consoleCramped names the controls that are too small to hit with a finger, links in
	// running text aside.
	consoleCramped = `[...document.querySelectorAll("button, input:not([type=hidden], [type=checkbox]), select, summary, nav a, h2 > a, .row-main > a")].filter(e => e.offsetParent &&
		(e.getBoundingClientRect().height < 43.5 || e.getBoundingClientRect().width < 43.5)).map(e => e.outerHTML).join(" ")`
	// axeFindings are what axe finds, in lines.
	axeFindings = `axe.run().then(r => { window.found = r.violations.map(v => v.id + ": " + v.help + " " +
		v.nodes.map(n => n.html).join(" | ")).join("\n") }, e => { window.found = "axe failed: " + e })`
)

// openConsole is a console with an event in most states, in a shop whose app refuses all
// but one order.
func openConsole(t *testing.T) (consoleShop, string) {
	t.Helper()
	s := newConsole(t, "retry {\nfirst 1h\n}")
	order := func(id string) {
		t.Helper()
		if err := kinds["order in coin"](s.shop, id); err != nil {
			t.Fatal(err)
		}
	}
	pay := func(p sandbox.Payment) {
		t.Helper()
		p.Instant, p.Wait = true, patience
		if _, err := s.box.Pay(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	order("order-1001")
	pay(sandbox.Payment{OrderID: "order-1001"})
	s.awaitState("status=success&order_id=order-1001", "delivered")
	s.app.answers(status(http.StatusGone))
	order("order-1002")
	pay(sandbox.Payment{OrderID: "order-1002"})
	s.awaitState("status=success&order_id=order-1002", "dead")
	s.app.answers(status(http.StatusServiceUnavailable))
	order("order-1003")
	pay(sandbox.Payment{OrderID: "order-1003"})
	s.awaitState("status=success&order_id=order-1003", "retrying")
	s.app.answers(nil)
	return s, s.heldPayment(sandbox.Payment{OrderID: "order-1004", Risky: true})
}

// TestConsoleInABrowser: on a phone and on a desk, by day and by night, each page fits, its
// controls can be hit, axe finds nothing, and nothing is loaded from elsewhere.
func TestConsoleInABrowser(t *testing.T) {
	axe := axeScript(t)
	s, held := openConsole(t)
	ctx := browser.New(t)
	watch := browser.Watch(t, ctx)
	dead := s.list("state=dead&status=success").Events[0].ID
	for name, path := range map[string]string{
		"now": "", "events": "events", "filtered": "events?text=order-1002&state=dead", "empty": "events?text=nothing", "held": "held",
		"event": "event?id=" + held, "dead": "event?id=" + dead, "order": "order?event=" + dead, "find": "order",
		"many": "many?state=dead", "export": "export", "missing": "missing", "nothing": "nothing",
	} {
		for _, scheme := range []string{"light", "dark"} {
			browser.Scheme(t, ctx, scheme)
			for size, width := range map[string]int64{"phone": 360, "desktop": 1280} {
				browser.Viewport(t, ctx, width, 800)
				browser.Do(t, ctx, chromedp.Navigate("http://"+s.addr+"/alice/"+path))
				browser.Eval[int](t, ctx, `document.querySelectorAll("details").forEach(d => d.open = true); 0`)
				if got := browser.Eval[string](t, ctx, consoleOverflows); got != "" {
					t.Errorf("%s at %d px overflows: %s", name, width, got)
				}
				if got := browser.Eval[string](t, ctx, consoleCramped); got != "" {
					t.Errorf("%s at %d px has targets below 44 px: %s", name, width, got)
				}
				browser.Eval[int](t, ctx, axe+";"+axeFindings+";0")
				browser.WaitFor(t, ctx, `window.found !== undefined`)
				if got := browser.Eval[string](t, ctx, `window.found`); got != "" {
					t.Errorf("%s at %d px, %s: %s", name, width, scheme, got)
				}
				browser.Screenshot(t, ctx, "console-"+name+"-"+size+"-"+scheme)
			}
		}
	}
	for _, problem := range watch.Problems() {
		if !strings.Contains(problem, "status of 404") {
			t.Errorf("the browser complained: %s", problem)
		}
	}
	for _, request := range watch.Requests() {
		if !strings.HasPrefix(request, "http://"+s.addr+"/") && request != "data:," {
			t.Errorf("the page asked for %s", request)
		}
	}
}

// TestConsoleByKeyboard: a held event is found, and its risk accepted, without a mouse,
// with and without scripts; and what another operator did meanwhile is told.
func TestConsoleByKeyboard(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s, held := openConsole(t)
			ctx := browser.New(t)
			if !scripts {
				browser.DisableScripts(t, ctx)
			}
			browser.Do(t, ctx, chromedp.Navigate("http://"+s.addr+"/alice/event?id="+held))
			if got := browser.Eval[bool](t, ctx, `document.querySelector("[data-copy]").hidden`); got == scripts {
				t.Errorf("the copy button is hidden: %v", got)
			}
			to := func(wanted string) {
				t.Helper()
				for range 40 {
					browser.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
					if browser.Eval[bool](t, ctx, `document.activeElement.matches(`+strconv.Quote(wanted)+`)`) {
						return
					}
				}
				t.Fatalf("the keyboard does not reach %s", wanted)
			}
			browser.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
			if got := browser.Eval[string](t, ctx, `document.activeElement.className`); got != "skip" {
				t.Errorf("the first stop is %q", got)
			}
			if got := browser.Eval[string](t, ctx, `getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
				t.Errorf("the focus is invisible: %s", got)
			}
			to("details:nth-of-type(2) > summary")
			browser.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
			to("details:nth-of-type(2) [name=reason]")
			browser.Do(t, ctx, chromedp.KeyEvent("we know the buyer"))
			if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
				t.Fatal(err)
			}
			if got := browser.Eval[string](t, ctx, `document.querySelector("[role=status]").textContent`); !strings.Contains(got, "released with its risk") {
				t.Errorf("the page says %q", got)
			}
			s.awaitState("status=success&order_id=order-1004", "delivered")
			s.view("/shop/bob/event?id="+held, "released: we know the buyer (alice)")
		})
	}
}

// TestConsolePictures takes the pictures of docs/console.md, for `make pictures`.
func TestConsolePictures(t *testing.T) {
	s, _ := openConsole(t)
	ctx := browser.New(t)
	browser.Scheme(t, ctx, "light")
	browser.Viewport(t, ctx, 960, 600)
	browser.Do(t, ctx, chromedp.Navigate("http://"+s.addr+"/alice/"))
	browser.WaitFor(t, ctx, `document.querySelector("#money").textContent.includes("Dead or held")`)
	browser.Screenshot(t, ctx, "console-now")
	browser.Do(t, ctx, chromedp.Navigate("http://"+s.addr+"/alice/held"))
	browser.Eval[int](t, ctx, `document.querySelector("details").open = true; document.querySelectorAll("article").forEach((e, i) => i && e.remove()); 0`)
	browser.Screenshot(t, ctx, "console-held")
}
