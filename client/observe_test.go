package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// observed collects what an observer is told.
type observed struct {
	mu    sync.Mutex
	calls []client.Call
}

func (o *observed) note(c client.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, c)
}

func (o *observed) codes() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var codes []string
	for _, c := range o.calls {
		codes = append(codes, c.Code)
	}
	return codes
}

// TestObserver: every request that was sent is told of, by a code of which
// there are few.
func TestObserver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   []string
	}{
		"yes":             {agree, []string{"10000"}},
		"no":              {say(`{"code":11003,"msg":"no such order"}`), []string{"11003"}},
		"tried again":     {sayInTurn(say(`{"code":11004,"msg":"slow down"}`), agree), []string{"11004", "10000"}},
		"an unknown code": {say(`{"code":54321,"msg":"?"}`), []string{"other"}},
		"a proxy's page":  {sayWith(http.StatusForbidden, "text/html", html), []string{"http_403"}},
		"a yes that failed": {
			sayWith(http.StatusForbidden, "application/json", `{"code":10000}`), []string{"http_403"},
		},
		"cut off":  {sayInTurn(cut, agree), []string{"network", "10000"}},
		"too slow": {sayInTurn(hang, agree), []string{"timeout", "10000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o observed
			c := newFakeAPI(t, test.answer).dial(t, client.WithObserver(o.note), client.WithTimeout(2*time.Second))
			_, _ = c.Coins(t.Context())
			if got := o.codes(); !slices.Equal(got, test.want) {
				t.Errorf("the observer was told %v, want %v", got, test.want)
			}
			if first := o.calls[0]; first.Endpoint != "getCoinList" || first.Took <= 0 {
				t.Errorf("the observer was told %+v", first)
			}
		})
	}
}

// TestObserverOfWhatIsNotSent: nothing is told of a call that never left, and
// that somebody stopped waiting is not the network's fault.
func TestObserverOfWhatIsNotSent(t *testing.T) {
	t.Parallel()
	var o observed
	ctx, cancel := context.WithCancel(t.Context())
	c := newFakeAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}).dial(t, client.WithObserver(o.note))
	for range 2 {
		if _, err := c.Coins(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if got := o.codes(); !slices.Equal(got, []string{"canceled"}) {
		t.Errorf("the observer was told %v", got)
	}
	if _, err := client.New(client.Credentials{AppID: appID, AppSecret: secret}, client.WithObserver(nil)); err == nil {
		t.Error("an observer that is nil was taken")
	}
}
