package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// FuzzAdminQuery: a query string of the admin endpoint is answered with 400, or
// selects what it says and nothing else, as the same filter in JSON does.
func FuzzAdminQuery(f *testing.F) {
	for _, query := range []string{
		"", "state=dead&type=ApiDeposit&limit=500", "status=Success&order_id=a%20b&record_id=1&route=webhook&cursor=00ff",
		"since=3h&until=2026-01-31T12:00:00Z", "since=-9223372036854775808ns", "until=0000-01-01T00:00:00Z", "since=9999-12-31T23:59:59%2B23:59",
		"since=2026-11-29T12:00:00+02:00&until=2026-11-29", "since=1d&until=yesterday", "since=106751d23h&until=1dd", "since=today&until=2026-11-29 12:00",
		"limit=0", "limit=501", "limit=%2B1", "limit=1&limit=2", "state=none", "state=dead&state=held", "colour=red", "state=%zz", ";", "a;b=c",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values := (&url.URL{RawQuery: query}).Query()
		if limit, err := readLimit(values); is400(t, err) && (limit < 1 || limit > LargestPage) {
			t.Fatalf("%q has the limit %d", query, limit)
		}
		got, err := queryOf(values, "limit", "cursor")
		if !is400(t, err) {
			return
		}
		for name, want := range map[string]string{
			"type": got.Type, "status": got.Status, "order_id": got.OrderID, "record_id": got.RecordID, "route": got.Route,
		} {
			if values.Get(name) != want {
				t.Fatalf("%s of %q is %q", name, query, want)
			}
		}
		if state := values.Get("state"); state != "" && got.State.String() != state || state == "" && got.State != ledger.None {
			t.Fatalf("state of %q is %s", query, got.State)
		}
		if values.Get("since") == "" && !got.Since.IsZero() || values.Get("until") == "" && !got.Until.IsZero() {
			t.Fatalf("%q is from %s until %s", query, got.Since, got.Until)
		}
		text, err := json.Marshal(map[string]string{"state": values.Get("state"), "since": values.Get("since"), "until": values.Get("until")})
		if err != nil {
			t.Fatal(err)
		}
		var filter Filter
		if err := json.Unmarshal(text, &filter); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		same, err := filter.Query(time.Now().UTC())
		if err != nil || same.State != got.State || same.Since.Sub(got.Since).Abs() > time.Minute || same.Until.Sub(got.Until).Abs() > time.Minute {
			t.Fatalf("%s selects %+v, %v; %q selects %+v", text, same, err, query, got)
		}
	})
}

// is400 reports that there is no error; one that is not the caller's is a failure.
func is400(t *testing.T, err error) bool {
	if err == nil {
		return true
	}
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Fatalf("%v is not 400", err)
	}
	return false
}
