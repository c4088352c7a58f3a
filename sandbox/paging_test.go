package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

func TestPagesHoldTwentyAndMissNothing(t *testing.T) {
	w := start(t)
	w.invoice("inv-1")
	w.invoice("inv-2")
	made := map[string]bool{}
	for range 45 {
		made[w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("1")})] = true
	}
	w.pay(sandbox.Payment{OrderID: "inv-2", Amount: dec("1")})

	query, next, sizes := `"orderId":"inv-1"`, "", []int{}
	var first string
	for {
		page := w.ok("getAppDepositRecordList", `{`+query+`,"nextId":"`+next+`"}`)
		sizes = append(sizes, page.Len("records"))
		for i := range page.Len("records") {
			id := page.Str(fmt.Sprintf("records.%d.recordId", i))
			if !made[id] {
				t.Fatalf("%q comes twice, or is not of the query", id)
			}
			delete(made, id)
		}
		if next = page.Str("nextId"); next == "" {
			break
		}
		if first == "" {
			first = next
			// What arrives meanwhile does not move the pages.
			w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("1")})
		}
	}
	if fmt.Sprint(sizes) != "[20 20 5]" || len(made) != 0 {
		t.Errorf("pages of %v, %d missed", sizes, len(made))
	}
	check(t, w, "getAppDepositRecordList", []rule{
		{"another query", `{"orderId":"inv-2","nextId":"` + first + `"}`, 11000, "nextId"},
		{"no filter", `{"nextId":"` + first + `"}`, 11000, "nextId"},
		{"cut", `{` + query + `,"nextId":"` + first[:16] + `"}`, 11000, "nextId"},
	})
}

func TestFilters(t *testing.T) {
	w := start(t)
	w.invoice("inv-1")
	w.pay(sandbox.Payment{OrderID: "inv-1", Amount: dec("1")})
	w.pay(sandbox.Payment{OrderID: "inv-1", Coin: "ETH", Amount: dec("1")})
	for query, want := range map[string]int{
		`{}`: 2, `{"coinId":1280}`: 1, `{"chain":"ETH"}`: 1, `{"coinId":1280,"chain":"ETH"}`: 0,
		`{"orderId":"inv-1"}`: 2, `{"orderId":"inv-7"}`: 0, `{"referenceId":"user-1"}`: 0,
		`{"startAt":` + at(w, -5e9) + `}`: 2, `{"startAt":` + at(w, 3600e9) + `}`: 0, `{"endAt":` + at(w, -60e9) + `}`: 0,
	} {
		if got := w.ok("getAppDepositRecordList", query).Len("records"); got != want {
			t.Errorf("%s: %d records, want %d", query, got, want)
		}
	}
}
