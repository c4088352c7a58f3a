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
	Since    string `json:"since"` // as [ReadTime] has it, in UTC
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
	now := time.Now().UTC()
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
