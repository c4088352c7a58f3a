package hosted_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-338f6760/caddy-ccpayment/internal/browser"
)

// overflowing names the elements that stick out of the page, or nothing.
const overflowing = `[...document.querySelectorAll("body *")].filter(e => !e.closest("pre, .hidden, svg") &&
	e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.tagName + "." + e.className).join(" ") +
	(document.documentElement.scrollWidth > innerWidth ? " the page" : "")`

// cramped names the controls that are too small to hit with a finger.
const cramped = `[...document.querySelectorAll("a, button, input, select")].filter(e => e.offsetParent &&
	(e.getBoundingClientRect().height < 43.5 || e.getBoundingClientRect().width < 43.5)).map(e => e.outerHTML).join(" ")`

func TestEveryPageInABrowser(t *testing.T) {
	all := pages()
	server := serve(all, func(*http.Request) {})
	t.Cleanup(server.Close)
	ctx := browser.New(t)
	watch := browser.Watch(t, ctx)

	for _, name := range append(slices.Sorted(maps.Keys(all)), "overview", "empty", "error") {
		for _, scheme := range []string{"light", "dark"} {
			browser.Scheme(t, ctx, scheme)
			for size, width := range map[string]int64{"phone": 375, "desktop": 1280, "narrow": 320} {
				browser.Viewport(t, ctx, width, 800)
				browser.Do(t, ctx, chromedp.Navigate(server.URL+"/"+name))
				if got := browser.Eval[string](t, ctx, overflowing); got != "" {
					t.Errorf("%s at %d px overflows: %s", name, width, got)
				}
				if got := browser.Eval[string](t, ctx, cramped); got != "" {
					t.Errorf("%s at %d px has targets below 44 px: %s", name, width, got)
				}
				if size != "narrow" || name == "long" {
					browser.Screenshot(t, ctx, name+"-"+size+"-"+scheme)
				}
			}
		}
	}
	// The browser logs each page that was answered with an error.
	notFound := func(problem string) bool { return strings.Contains(problem, "status of 404") }
	if got := slices.DeleteFunc(watch.Problems(), notFound); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
	for _, request := range watch.Requests() {
		if !strings.HasPrefix(request, server.URL+"/") {
			t.Errorf("the page asked for %s", request)
		}
	}
}

func TestPayingByKeyboard(t *testing.T) {
	posted := make(chan url.Values, 1)
	server := serve(pages(), func(r *http.Request) {
		_ = r.ParseForm()
		posted <- r.PostForm
	})
	t.Cleanup(server.Close)

	for name, scripts := range map[string]bool{"with JavaScript": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			ctx := browser.New(t)
			if !scripts {
				browser.DisableScripts(t, ctx)
			}
			browser.Do(t, ctx, chromedp.Navigate(server.URL+"/waiting"))
			if got := browser.Eval[bool](t, ctx, `[...document.querySelectorAll("[data-copy]")].every(b => b.hidden)`); got == scripts {
				t.Errorf("copy buttons hidden: %v", got)
			}
			var order []string
			for range 20 {
				browser.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
				at := browser.Eval[string](t, ctx, `document.activeElement.id || document.activeElement.dataset.copy || document.activeElement.textContent`)
				order = append(order, at)
				if at == "pay-exact" {
					break
				}
			}
			if order[len(order)-1] != "pay-exact" {
				t.Fatalf("tabbing reached only %q", order)
			}
			if scripts && slices.Index(order, "amount") > slices.Index(order, "address") {
				t.Errorf("the amount comes after the address: %q", order)
			}
			if outline := browser.Eval[string](t, ctx, `getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
				t.Errorf("the focus is invisible: outline %s", outline)
			}
			if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
				t.Fatal(err)
			}
			if form := <-posted; form.Get("pay") != "exact" {
				t.Errorf("posted %v", form)
			}
			if got := browser.Eval[string](t, ctx, `document.querySelector("[role=status]").textContent`); got != "Processing" {
				t.Errorf("after paying the page says %q", got)
			}
		})
	}
}
