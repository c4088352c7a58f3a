package coinpayments

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestListOfManyTransactions: of a wallet with very many transactions those of the time are
// found, all of them, with few calls, whichever way the list goes; of one in no order all
// pages are read.
func TestListOfManyTransactions(t *testing.T) {
	const all, minute = 5000, time.Minute
	now := time.Date(2026, 3, 12, 8, 30, 0, 0, time.UTC)
	from := now.Add(-2 * time.Hour) // of the last 120
	for order, test := range map[string]struct {
		at    func(i int) int // which of the transactions, by age, stands at a place
		calls int
	}{
		"latest first": {func(i int) int { return i }, 6},
		"latest last":  {func(i int) int { return all - 1 - i }, 16},
		"in disorder":  {func(i int) int { return (i*7919 + 1) % all }, 60},
	} {
		t.Run(order, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
				var answer any = []any{}
				switch {
				case strings.HasSuffix(r.URL.Path, "/invoices"):
					answer = map[string]any{"items": []any{}, "paging": map[string]any{}}
				case strings.HasSuffix(r.URL.Path, "/wallets") && skip == 0:
					answer = []any{map[string]any{"walletId": "wallet-1"}}
				case strings.HasSuffix(r.URL.Path, "/transactions/count"):
					answer = all
				case strings.HasSuffix(r.URL.Path, "/transactions"):
					page := []any{}
					for i := skip; i < min(skip+100, all); i++ {
						age := test.at(i)
						page = append(page, map[string]any{
							"id": fmt.Sprint("t-", age), "dateCreated": now.Add(-time.Duration(age) * minute), "transactionType": "utxoExternalReceive",
							"transactionStatus": "confirmedOnBlockchain", "toAddress": "address-1", "toAmount": "1", "isInvoicePaymentSend": false,
						})
					}
					answer = page
				}
				_ = json.NewEncoder(w).Encode(answer)
			}))
			defer server.Close()
			v := open(t, Config{BaseURL: server.URL})
			turns, found := 0, []string(nil)
			for one, err := range v.List(t.Context(), from, now, func(context.Context) error { turns++; return nil }) {
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, one.Notice.RecordID)
			}
			slices.Sort(found)
			if found = slices.Compact(found); len(found) != 121 {
				t.Errorf("%d transactions are found, want 121", len(found))
			}
			if calls > test.calls || calls != turns {
				t.Errorf("it took %d calls in %d turns, want at most %d", calls, turns, test.calls)
			}
		})
	}
}
