// Package browser drives a headless Chromium in tests: it starts one with a
// fresh profile, watches what pages log and load, and takes screenshots. CI
// fails without Chromium, because a page nobody opened is a page nobody tested;
// elsewhere the test is left out, and counted.
package browser

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// limit bounds the life of a browser: a page that hangs fails its test rather
// than the whole run.
const limit = 10 * time.Minute

// New starts Chromium with a profile of its own and returns the context of an
// empty tab, to use with chromedp's functions and with those of this package.
// The browser ends with the test, or after ten minutes.
func New(t testing.TB) context.Context {
	t.Helper()
	path := needs.Command(t, "chromium", "google-chrome")
	ctx, stop := context.WithTimeout(context.Background(), limit)
	ctx, closeAllocator := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("force-color-profile", "srgb"),
	)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		closeBrowser()
		closeAllocator()
		stop()
	})
	Do(t, ctx)
	return ctx
}

// Tab opens another tab in the browser of ctx; it closes with the test.
func Tab(t testing.TB, ctx context.Context) context.Context {
	t.Helper()
	tab, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	Do(t, tab)
	return tab
}

// Do runs the steps in order and fails the test at the first that fails.
func Do(t testing.TB, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// Eval runs a JavaScript expression in the page and returns its value. It
// works with the page's own scripts disabled, too.
func Eval[T any](t testing.TB, ctx context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("browser: %s: %v", expression, err)
	}
	return value
}

// WaitFor waits until the JavaScript expression is true, across loads of the
// page, and fails the test where it does not become so.
func WaitFor(t testing.TB, ctx context.Context, expression string) {
	t.Helper()
	deadline := time.After(processtest.Patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// The page may be unloading: an error now need not be one on the next try.
		done, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if done && err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("browser: waited in vain for %s (last error: %v)", expression, err)
		case <-tick.C:
		}
	}
}

// Viewport sets the size of the page in CSS pixels.
func Viewport(t testing.TB, ctx context.Context, width, height int64) {
	t.Helper()
	Do(t, ctx, chromedp.EmulateViewport(width, height))
}

// Scheme makes pages see the visitor's preference: "light" or "dark". Motion
// is reduced, so that screenshots do not depend on the moment.
func Scheme(t testing.TB, ctx context.Context, scheme string) {
	t.Helper()
	call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
}

// DisableScripts turns JavaScript off for the pages opened next.
func DisableScripts(t testing.TB, ctx context.Context) {
	t.Helper()
	call(t, ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

func call[P, R any](t testing.TB, ctx context.Context, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatalf("browser: %v", err)
	}
}
