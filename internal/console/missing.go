package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
)

// longestLook is how long a look that somebody asks for may take; the next one goes on
// where it was.
const longestLook = 5 * time.Minute

// looking is the look at the gateways' records that somebody has asked for, one at a time.
type looking struct {
	mu      sync.Mutex
	running bool
	err     error // why the last one broke off
}

func (l *looking) state() (running bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running, l.err
}

// begin runs a look in the background, and returns false where one runs already.
func (l *looking) begin(look func(context.Context) error, logger *zap.Logger) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return false
	}
	l.running = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), longestLook)
		defer cancel()
		err := survive(ctx, look, logger)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.running, l.err = false, err
	}()
	return true
}

// survive runs a look. Whatever panics in it is logged, and is its error.
func survive(ctx context.Context, look func(context.Context) error, logger *zap.Logger) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
			logger.Error("a look at the gateways' records panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	return look(ctx)
}

type missingView struct {
	Accounts []adminapi.Look
	// Running: a look that somebody has asked for is at work. Failure is why the last one
	// broke off; empty: it did not.
	Running bool
	Failure string
}

// showMissing shows what the gateways have and the ledger lacks.
func (v *visit) showMissing() (answer, error) {
	looks, err := v.o.Looks(v.ctx, nil)
	if err != nil {
		return answer{}, err
	}
	view := missingView{Accounts: adminapi.DescribeLooks(looks).Accounts}
	var failure error
	if view.Running, failure = v.looking.state(); failure != nil {
		view.Failure = failure.Error()
	}
	return answer{template: "missing.html", page: page{Title: "Missing", At: "missing", View: view}}, nil
}

// missing counts the records that are missing, at each gateway's account once.
func (v *visit) missing() (n int, err error) {
	looks, err := v.o.Looks(v.ctx, nil)
	counted := make(map[string]bool)
	for i, look := range adminapi.DescribeLooks(looks).Accounts {
		if id := looks[i].AppID; !counted[id] {
			counted[id] = true
			n += len(look.Missing)
		}
	}
	return n, err
}

// lookNow has the records of all accounts looked at now, in the background.
func (v *visit) lookNow() (answer, error) {
	begun := v.looking.begin(func(ctx context.Context) error {
		return v.Use(func(o *operator.Operator) error {
			_, err := o.Look(ctx, nil, time.Time{}, false)
			return err
		})
	}, v.o.Logger)
	if !begun {
		return answer{}, &adminapi.Error{Status: http.StatusConflict, Err: errors.New("a look is at work already: wait for it")}
	}
	v.log("an operator has the gateways' records looked at", nil, zap.Int("accounts", len(v.o.Reconciler.Accounts())))
	return answer{location: "./missing"}, nil
}

// dismiss has the record that a form names waited for no more.
func (v *visit) dismiss() (answer, error) {
	reason, err := v.reason()
	if err != nil {
		return answer{}, err
	}
	form := v.r.PostForm
	_, err = v.o.Dismiss(v.ctx, form.Get("account"), form.Get("record_id"), reason)
	v.log("dismissing a record that is missing", err, zap.String("reason", redact.Emails(form.Get("reason"))), zap.String("record_id", redact.Emails(form.Get("record_id"))))
	if err != nil {
		return answer{}, adminapi.ExplainLook(err)
	}
	return answer{location: "./missing"}, nil
}
