package adminapi

import (
	"net/url"
	"strconv"
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
	Route    string `json:"route"`
	Since    string `json:"since"` // RFC 3339, or a duration back from now
	Until    string `json:"until"`
}

// Fields are the filter's fields by their names.
func (f *Filter) Fields() map[string]*string {
	return map[string]*string{
		"state": &f.State, "type": &f.Type, "status": &f.Status, "order_id": &f.OrderID, "record_id": &f.RecordID,
		"route": &f.Route, "since": &f.Since, "until": &f.Until,
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

// readFilter reads the filter of a list from its query. It refuses a parameter
// that a list does not have.
func readFilter(values url.Values) (ledger.Query, error) {
	var f Filter
	fields := f.Fields()
	for name, given := range values {
		field, ok := fields[name]
		switch {
		case name == "limit" || name == "cursor":
		case !ok:
			return ledger.Query{}, badRequest(
				"unknown filter %q: use state, type, status, order_id, record_id, route, since, until, limit, cursor", name)
		case len(given) > 1:
			return ledger.Query{}, badRequest("%s is given twice", name)
		default:
			*field = given[0]
		}
	}
	return f.query()
}

func (f Filter) query() (ledger.Query, error) {
	q := ledger.Query{Route: f.Route, Type: f.Type, Status: f.Status, OrderID: f.OrderID, RecordID: f.RecordID}
	if f.State != "" {
		if err := q.State.UnmarshalText([]byte(f.State)); err != nil || q.State == ledger.None {
			return q, badRequest("unknown state %q", f.State)
		}
	}
	var err error
	if q.Since, err = ReadTime("since", f.Since); err != nil {
		return q, err
	}
	q.Until, err = ReadTime("until", f.Until)
	return q, err
}

// ReadTime reads a time in RFC 3339, or a duration back from now. An empty text is
// the zero time. The error names the parameter.
func ReadTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago.Abs()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, badRequest("%s: %q is neither a time such as 2026-01-31T12:00:00Z nor a duration such as 3h", name, text)
	}
	return at, nil
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
