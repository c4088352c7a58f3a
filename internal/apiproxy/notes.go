package apiproxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// A slow ledger delays a call, and its answer, by at most noteWait each, and is given up
// after noteFor.
const (
	noteWait = 2 * time.Second
	noteFor  = time.Minute
)

// notes has the ledger note what a call makes, so that a payment of it is known to be the
// app's, also where its webhook gets lost: as far as the call says it before it is sent, so
// that a crash does not lose it, and then by its answer.
type notes struct {
	*Proxy
	endpoint gateway.Endpoint
	call     gateway.APICall
	// fresh are the marks of the call that no earlier call had; done is closed once they
	// are known. A call that had them may have made what this one is refused for.
	fresh []string
	done  chan struct{} // nil: the call was not sent, or says nothing of what it makes
}

// route is the one that takes the webhooks about what the call makes.
func (n *notes) route() string {
	to := n.call.NotifyURL
	gjson.ParseBytes(n.call.Body).ForEach(func(key, value gjson.Result) bool {
		if keyIn(n.endpoint.WebhookKeys, key.Str) != "" {
			to = value.Str
		}
		return true
	})
	return n.routeOf(n.account.Name, to)
}

// called notes what a call makes that is about to be sent.
func (n *notes) called(marks []string) {
	n.done = n.note(func(ctx context.Context, l *ledger.Ledger) (err error) {
		n.fresh, err = l.NoteCalled(ctx, n.account.Info.AccountID, n.route(), marks...)
		return err
	})
}

// answered notes what a call has made, or may have, and that nothing else was made by it.
func (n *notes) answered(answer gateway.APIAnswer, failed error) {
	var lost *gateway.LostError
	isLost := errors.As(failed, &lost)
	made := answer.Makes
	if failed != nil && !isLost || answer.Refusal != nil {
		made = nil
	}
	before := n.done
	if len(made) == 0 && (before == nil || isLost) {
		return
	}
	n.note(func(ctx context.Context, l *ledger.Ledger) error {
		err := l.NoteMade(ctx, n.account.Info.AccountID, n.route(), made...)
		if before == nil || isLost || err != nil {
			return err
		}
		<-before
		others := slices.DeleteFunc(n.fresh, func(mark string) bool { return slices.Contains(made, mark) })
		return l.NoteAnswered(ctx, n.account.Info.AccountID, others...)
	})
}

// note runs what notes something, and waits for it for a while. The channel is closed once
// it has ended.
func (n *notes) note(do func(context.Context, *ledger.Ledger) error) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), noteFor)
		defer cancel()
		l, release, err := n.ledger()
		if err == nil {
			err = do(ctx, l)
			release()
		}
		if err != nil {
			n.logger.Error("what a call makes is not noted in the ledger, so that the app may not be told of it if its webhooks get lost",
				zap.String("endpoint", n.endpoint.Name), zap.Error(err))
		}
	}()
	select {
	case <-done:
	case <-time.After(noteWait):
	}
	return done
}
