package browser

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Watcher records what a tab's pages log and load.
type Watcher struct {
	mu       sync.Mutex
	problems []string
	requests []string
}

// Watch records what the tab of ctx logs and loads from now on.
func Watch(t testing.TB, ctx context.Context) *Watcher {
	t.Helper()
	w := new(Watcher)
	if err := chromedp.Listen(ctx, w.note); err != nil {
		t.Fatalf("browser: %v", err)
	}
	call(t, ctx, network.Enable, network.EnableParams{})
	call(t, ctx, log.Enable, cdp.Empty{})
	return w
}

func (w *Watcher) note(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.problems = append(w.problems, exceptionText(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			w.problems = append(w.problems, "console."+string(e.Type))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.problems = append(w.problems, string(e.Entry.Level)+": "+e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, e.Request.URL)
	}
}

// Problems returns the uncaught exceptions, console errors and warnings, and the
// browser's own complaints (a blocked script, a missing file) so far.
func (w *Watcher) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

// Requests returns the URLs that the tab has requested so far.
func (w *Watcher) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

func exceptionText(details *runtime.ExceptionDetails) string {
	if details.Exception == nil {
		return "exception: " + details.Text
	}
	return "exception: " + details.Exception.Description
}
