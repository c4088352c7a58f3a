package sandbox

import "time"

// entry is what every record of money that moved has in common.
type entry struct {
	recordID  string
	orderID   string // empty if the merchant did not ask for it
	createdAt time.Time
}

func (e *entry) head() *entry { return e }
func (e *entry) id() string   { return e.recordID }

// book keeps records of one sort, oldest first. The order ids in it are a
// space of their own.
type book[R interface{ head() *entry }] struct {
	list     []R
	byRecord map[string]R
	byOrder  map[string]R
}

func newBook[R interface{ head() *entry }]() *book[R] {
	return &book[R]{byRecord: map[string]R{}, byOrder: map[string]R{}}
}

// free refuses with 11011 if an order id was used before. It is called before
// everything that depends on balances, so that a client which repeats a call learns
// that the first one succeeded.
func (b *book[R]) free(orderID string) error {
	if _, used := b.byOrder[orderID]; used {
		return refuse(codeOrderDuplicate, "orderId: %q exists already; look its record up", orderID)
	}
	return nil
}

// enter gives a record its id and time, and keeps it.
func (b *book[R]) enter(st *state, now time.Time, r R) {
	e := r.head()
	e.recordID, e.createdAt = st.recordID(now), now
	b.list = append(b.list, r)
	b.byRecord[e.recordID] = r
	if _, used := b.byOrder[e.orderID]; e.orderID != "" && !used { // a batch's may be
		b.byOrder[e.orderID] = r
	}
}

// find returns the record that a call names by recordId, orderId or both. One
// that is not there, or not wanted, is 11003.
func (b *book[R]) find(recordID, orderID string, wanted func(R) bool) (R, error) {
	r, known := b.byRecord[recordID]
	if recordID == "" {
		r, known = b.byOrder[orderID]
	}
	switch {
	case known && recordID != "" && orderID != "" && r.head().orderID != orderID:
		return r, refuse(codeNotFound, "record %s does not belong to order %q", recordID, orderID)
	case known && wanted(r):
		return r, nil
	case recordID != "":
		return r, refuse(codeNotFound, "recordId: there is no such record as %q", recordID)
	}
	return r, refuse(codeNotFound, "orderId: no record of this sort has the order id %q", orderID)
}

// recordOrOrder reads recordId and orderId, of which one at least is given.
func (p *params) recordOrOrder() (recordID, orderID string) {
	recordID, orderID = p.optional("recordId", 64), p.optionalID("orderId")
	if recordID == "" && orderID == "" {
		p.reject(codeInvalid, "recordId or orderId: one of them is required")
	}
	return recordID, orderID
}
