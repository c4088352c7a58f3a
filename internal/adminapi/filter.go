package adminapi

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Filter selects events, in JSON as in a query. What is empty selects all.
type Filter struct {
	State    string `json:"state"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	OrderID  string `json:"order_id"`
	RecordID string `json:"record_id"`
	ID       string `json:"id"`      // the event's
	Account  string `json:"account"` // its name; default: the one without a name
	Text     string `json:"text"`    // a part of an id, the type, the status or the last error
	Route    string `json:"route"`
	Since    string `json:"since"` // as [ReadTime] has it, in UTC
	Until    string `json:"until"`
}

// Fields are the filter's fields by their names.
func (f *Filter) Fields() map[string]*string {
	return map[string]*string{
		"state": &f.State, "type": &f.Type, "status": &f.Status, "order_id": &f.OrderID, "record_id": &f.RecordID,
		"id": &f.ID, "account": &f.Account, "text": &f.Text, "route": &f.Route, "since": &f.Since, "until": &f.Until,
	}
}

// Values are the fields that are not empty, for a query.
func (f Filter) Values() url.Values {
	values := url.Values{}
	for name, field := range f.Fields() {
		if *field != "" {
			values.Set(name, *field)
		}
	}
	return values
}

// ReadFilter reads the filter of a list from its query. It refuses a parameter
// that a list does not have; others are those that the caller reads itself.
func ReadFilter(values url.Values, others ...string) (f Filter, err error) {
	fields := f.Fields()
	for name, given := range values {
		field, ok := fields[name]
		switch {
		case slices.Contains(others, name):
		case !ok:
			return f, badRequest("unknown filter %q: use %s", name,
				strings.Join(append(slices.Sorted(maps.Keys(fields)), others...), ", "))
		case len(given) > 1:
			return f, badRequest("%s is given twice", name)
		default:
			*field = given[0]
		}
	}
	return f, nil
}

// Query is what the filter selects. Times are in the zone of now where they name none.
func (f Filter) Query(now time.Time) (ledger.Query, error) {
	q := ledger.Query{
		Route: f.Route, Type: f.Type, Status: f.Status, OrderID: f.OrderID, RecordID: f.RecordID,
		EventID: f.ID, Account: f.Account, Text: f.Text,
	}
	if f.State != "" {
		if err := q.State.UnmarshalText([]byte(f.State)); err != nil || q.State == ledger.None {
			return q, badRequest("unknown state %q", f.State)
		}
	}
	var err error
	if q.Since, err = ReadTime("since", f.Since, now); err != nil {
		return q, err
	}
	q.Until, err = ReadTime("until", f.Until, now)
	return q, err
}

func readLimit(values url.Values) (int, error) {
	if len(values["limit"]) > 1 {
		return 0, badRequest("limit is given twice")
	}
	text := values.Get("limit")
	if text == "" {
		return DefaultPage, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > LargestPage {
		return 0, badRequest("limit must be from 1 to %d", LargestPage)
	}
	return limit, nil
}
