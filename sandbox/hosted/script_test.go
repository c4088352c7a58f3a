package hosted_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

func TestCopyButtons(t *testing.T) {
	server := serve(pages(), func(*http.Request) {})
	t.Cleanup(server.Close)
	ctx := browser.New(t)
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: name}, Setting: cdpbrowser.PermissionSettingGranted,
		}); err != nil {
			t.Fatal(err)
		}
	}
	browser.Do(t, ctx, chromedp.Navigate(server.URL+"/waiting"))
	for id, want := range map[string]string{"amount": "24.912456", "address": address} {
		browser.Do(t, ctx, chromedp.Click(chromedp.CSS(`[data-copy=`+id+`]`)))
		browser.WaitFor(t, ctx, `document.querySelector("[data-copy=`+id+`]").textContent === "Copied"`)
		browser.WaitFor(t, ctx, `document.querySelector("p.hidden[aria-live]").textContent === "Copied"`)
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`navigator.clipboard.readText()`, chromedp.EvalAwaitPromise))
		if err != nil || got != want {
			t.Errorf("copied %q, %v, want %q", got, err, want)
		}
	}
}

func TestPageFollowsThePayment(t *testing.T) {
	for name, scripts := range map[string]bool{"with JavaScript": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			var paid atomic.Bool
			processing := pages()["processing"]
			processing.Refresh = time.Second
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path != "/":
					hosted.Assets().ServeHTTP(w, r)
				case paid.Load():
					_ = hosted.WriteCheckout(w, http.StatusOK, pages()["paid"])
				default:
					_ = hosted.WriteCheckout(w, http.StatusOK, processing)
				}
			}))
			t.Cleanup(server.Close)
			ctx := browser.New(t)
			if !scripts {
				browser.DisableScripts(t, ctx)
			}
			browser.Do(t, ctx, chromedp.Navigate(server.URL), chromedp.Focus(chromedp.CSS("#pay-risky")))
			paid.Store(true)
			browser.WaitFor(t, ctx, `document.querySelector(".state-name").textContent === "Paid"`)
			if scripts {
				browser.WaitFor(t, ctx, `document.activeElement.id === "pay-risky"`)
				browser.WaitFor(t, ctx, `document.querySelector("p.hidden[aria-live]").textContent === "Paid"`)
			}
		})
	}
}

func TestCountdown(t *testing.T) {
	all := pages()
	brief := all["waiting"]
	brief.ExpiresAt, brief.Refresh = now.Add(61*time.Second), 0
	all["brief"] = brief
	server := serve(all, func(*http.Request) {})
	t.Cleanup(server.Close)
	ctx := browser.New(t)
	browser.Do(t, ctx, chromedp.Navigate(server.URL+"/brief"))
	if got := browser.Eval[string](t, ctx, `document.querySelector("time").textContent`); got != "1 min 01 s" && got != "1 min 00 s" {
		t.Errorf("time left %q", got)
	}
	browser.WaitFor(t, ctx, `/^\d+ s$/.test(document.querySelector("time").textContent)`)
}
