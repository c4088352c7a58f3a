package browser_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
)

func TestBrowser(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self' 'unsafe-inline'; img-src 'self'")
		_, _ = w.Write([]byte(`<!doctype html><title>plain</title><link rel=icon href="/icon">
			<script>document.title = "scripted"; console.error("oops")</script>
			<img alt="" src="http://elsewhere.invalid/x.png"><script>nonsense()</script>`))
	}))
	t.Cleanup(server.Close)
	ctx := browser.New(t)

	watch := browser.Watch(t, ctx)
	browser.Scheme(t, ctx, "dark")
	browser.Viewport(t, ctx, 321, 400)
	browser.Do(t, ctx, chromedp.Navigate(server.URL))
	if got := browser.Eval[string](t, ctx, `document.title`); got != "scripted" {
		t.Errorf("title %q", got)
	}
	if !browser.Eval[bool](t, ctx, `innerWidth === 321 && matchMedia("(prefers-color-scheme: dark)").matches`) {
		t.Error("the size or the colour scheme did not reach the page")
	}
	if !slices.Contains(watch.Requests(), server.URL+"/") {
		t.Errorf("requests %q lack the page", watch.Requests())
	}
	for _, want := range []string{"console.error", "nonsense is not defined", "Content Security Policy"} {
		eventually(t, want, func() bool {
			return strings.Contains(strings.Join(watch.Problems(), "\n"), want)
		})
	}

	png, err := os.ReadFile(browser.Screenshot(t, ctx, "browser"))
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("no screenshot: %v", err)
	}

	browser.Eval[int](t, ctx, `setTimeout(() => { document.title = "later" }, 50)`)
	browser.WaitFor(t, ctx, `document.title === "later"`)

	tab := browser.Tab(t, ctx)
	browser.DisableScripts(t, tab)
	browser.Do(t, tab, chromedp.Navigate(server.URL))
	if got := browser.Eval[string](t, tab, `document.title`); got != "plain" {
		t.Errorf("title %q although scripts are off", got)
	}
}

// eventually waits until done, for what the browser reports a moment later.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
