package coinpayments_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/internal/apiclient/apiclienttest"
)

// invoicePage is a page of invoices with these ids, and what follows it as JSON.
func invoicePage(paging string, ids ...string) string {
	records := make([]string, len(ids))
	for i, id := range ids {
		records[i] = fmt.Sprintf(`{"id":%q}`, id)
	}
	if paging != "" {
		paging = `,"paging":` + paging
	}
	return `{"items":[` + strings.Join(records, ",") + `]` + paging + `}`
}

// Lists follow the cursor with the same filter, whichever way it is written, stop when the
// caller does, and give an error once.
func TestCursorPages(t *testing.T) {
	t.Parallel()
	filter := coinpayments.InvoiceFilter{Query: "order", PageSize: 2}
	for name, paging := range map[string]string{
		"cursor":  `{"cursor":{"after":"p 2"}}`,
		"cursors": `{"cursors":{"before":"x","after":"p 2"},"limit":2}`,
		"next":    `{"next":"https://a-api.coinpayments.net/api/v2/merchant/invoices?q=order&after=p%202&limit=2"}`,
	} {
		for _, last := range []string{invoicePage("", "c"), invoicePage(`{"cursor":{"after":""}}`, "c"), invoicePage(`{"next":null}`, "c"), invoicePage(`{}`, "b", "c")} {
			api := newFakeAPI(t, sayInTurn(say(invoicePage(paging, "a", "b")), say(last)))
			got, err := collect(api.dial(t).Invoices(t.Context(), filter))
			if err != nil || len(got) != 3 || got[2].ID != "c" || got[2].Raw == nil {
				t.Errorf("%s, %s: %v, %v", name, last, got, err)
			}
			sent := api.Sent()
			if len(sent) != 2 || !strings.HasSuffix(sent[0].URI, "?q=order&limit=2") || !strings.HasSuffix(sent[1].URI, "?q=order&after=p%202&limit=2") {
				t.Errorf("%s: sent %v", name, sent)
			}
		}
	}

	api := newFakeAPI(t, say(invoicePage(`{"cursor":{"after":"p2"}}`, "a", "b")))
	for range api.dial(t).Invoices(t.Context(), filter) {
		break
	}
	if len(api.Sent()) != 1 {
		t.Errorf("%d requests after the caller stopped", len(api.Sent()))
	}

	next := `{"cursor":{"after":"p2"}}`
	for name, second := range map[string]http.HandlerFunc{
		"refused":                       sayWith(403, "text/plain", ""),
		"no list":                       say(`{}`),
		"null":                          say(`null`),
		"a text":                        say(`"x"`),
		"unreadable":                    say(`{"items":[{"id":"c","amount":{"total":"much"}}]}`),
		"a record without an id":        say(`{"items":[{}]}`),
		"the same page for ever":        say(invoicePage(next, "a", "b")),
		"the same cursor for ever":      say(invoicePage(next, "c2")),
		"full, and no word of the rest": say(invoicePage("", "c3", "c4")),
	} {
		failures := 0
		var ids string
		for record, err := range newFakeAPI(t, sayInTurn(say(invoicePage(next, "a", "b")), second)).dial(t).Invoices(t.Context(), filter) {
			if err != nil {
				failures++
				continue
			}
			ids += record.ID
		}
		if failures != 1 || !strings.HasPrefix(ids, "ab") {
			t.Errorf("%s: %v and %d errors", name, ids, failures)
		}
	}
}

// A list may come bare, as an object, or as a list of such objects.
func TestListForms(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`[{"id":"a"},{"id":"b","items":[{"name":"x"}]}]`, `{"items":[{"id":"a"},{"id":"b"}]}`, `[{"items":[{"id":"a"}]},{"items":[{"id":"b"}]}]`} {
		got, err := collect(newFakeAPI(t, say(answer)).dial(t).Invoices(t.Context(), coinpayments.InvoiceFilter{}))
		if err != nil || len(got) != 2 || got[0].ID != "a" || got[1].ID != "b" {
			t.Errorf("%s: %v, %v", answer, got, err)
		}
	}
	for _, answer := range []string{`[]`, `{"items":[]}`, `{"items":null,"paging":{}}`, `[{"items":[]}]`} {
		if got, err := collect(newFakeAPI(t, say(answer)).dial(t).Invoices(t.Context(), coinpayments.InvoiceFilter{})); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", answer, got, err)
		}
	}
}

// transactions is a wallet with that many transactions, the newest first, of which a new
// one comes before each of the next three pages.
func transactions(n, most int) http.HandlerFunc {
	added := 0
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			panic(err)
		}
		skip, _ := strconv.Atoi(query.Get("skip"))
		take, _ := strconv.Atoi(query.Get("take"))
		if skip > 0 && added < 3 {
			added++
		}
		var ids []string
		for i := n + added - skip; i > 0 && len(ids) < min(take, most); i-- {
			ids = append(ids, fmt.Sprintf(`{"id":"t-%d"}`, i))
		}
		apiclienttest.Say(`[`+strings.Join(ids, ",")+`]`)(w, r)
	}
}

// Lists that are asked for by skip and take give each record once, also where others come
// meanwhile, and where the pages are shorter than asked for.
func TestSkipPages(t *testing.T) {
	t.Parallel()
	for _, most := range []int{100, 30} {
		api := newFakeAPI(t, transactions(250, most))
		got, err := collect(api.dial(t).Transactions(t.Context(), "w-1"))
		seen := map[string]bool{}
		for _, transaction := range got {
			if seen[transaction.ID] {
				t.Errorf("%s came twice", transaction.ID)
			}
			seen[transaction.ID] = true
		}
		for i := range 250 {
			if !seen[fmt.Sprintf("t-%d", i+1)] {
				t.Errorf("t-%d did not come", i+1)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	var senseless *coinpayments.AnswerError
	api := newFakeAPI(t, say(`[{"id":"t-1"}]`))
	if got, err := collect(api.dial(t).Transactions(t.Context(), "w-1")); !errors.As(err, &senseless) || len(got) != 1 || len(api.Sent()) != 3 {
		t.Errorf("the same page for ever: %v, %v after %d requests", got, err, len(api.Sent()))
	}
}
