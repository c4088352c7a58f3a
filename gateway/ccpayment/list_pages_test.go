package ccpayment

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// TestTurnOfEachPage: each page of a list takes a turn, also those that have fewer records
// than was asked for, or none.
func TestTurnOfEachPage(t *testing.T) {
	calls := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		next := ""
		if strings.Contains(r.URL.Path, "Deposit") && calls < 10 {
			next = fmt.Sprint(calls)
		}
		fmt.Fprintf(w, `{"code":10000,"msg":"success","data":{"records":[],"nextId":%q}}`, next)
	}))
	defer api.Close()
	v, err := New(Config{AppID: "app-123", AppSecret: "secret-456", BaseURL: api.URL}, gateway.OpenOptions{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	turns := 0
	for _, err := range v.List(t.Context(), time.Now().Add(-time.Hour), time.Now(), func(context.Context) error { turns++; return nil }) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if turns != calls || calls != 11 {
		t.Errorf("%d calls took %d turns", calls, turns)
	}
}
