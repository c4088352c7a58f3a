package console

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestLookThatPanics: a look that panics has broken off, with its stack in the log, and
// another one can begin.
func TestLookThatPanics(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	var l looking
	for n := 1; n <= 2; n++ {
		if !l.begin(func(context.Context) error { panic("a bug") }, zap.New(core)) {
			t.Fatal("another look cannot begin")
		}
		processtest.Until(t, "it has broken off", func() bool {
			running, _ := l.state()
			return !running
		})
		if _, err := l.state(); err == nil || !strings.Contains(err.Error(), "a bug") {
			t.Errorf("it broke off because of %v", err)
		}
		if stack, _ := logs.All()[n-1].ContextMap()["stack"].(string); !strings.Contains(stack, "TestLookThatPanics") {
			t.Errorf("the stack is %q", stack)
		}
	}
}
