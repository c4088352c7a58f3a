package adminapi

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Export is a list of all that a filter selects, as a file. It is written a page at a
// time, so that it takes no more memory for a million rows than for one.
type Export struct {
	// What it has: events, orders, or payments, which are the confirmed payments among
	// the events that the filter selects.
	What string
	// Format is csv or jsonl: one JSON object a line.
	Format string

	events ledger.Query
	orders ledger.OrderQuery
}

// The formats of an export.
const (
	CSV       = "csv"
	JSONLines = "jsonl"
)

// ReadExport reads what is to be exported: beside format, the parameters are those of the
// list. What names no zone is in that of now.
func ReadExport(what string, values url.Values, now time.Time) (Export, error) {
	e := Export{What: what, Format: values.Get("format")}
	switch e.Format {
	case "":
		e.Format = CSV
	case CSV, JSONLines:
	default:
		return e, badRequest("unknown format %q: use %s or %s", e.Format, CSV, JSONLines)
	}
	var err error
	switch what {
	case "events", "payments":
		var filter Filter
		if filter, err = ReadFilter(values, "format"); err == nil {
			e.events, err = filter.Query(now)
		}
	case "orders":
		e.orders, err = ReadOrderFilter(values, "format")
	default:
		err = fail(http.StatusNotFound, "there is no export of %q: use events, orders or payments", what)
	}
	return e, err
}

// mediaTypes are those of the formats.
var mediaTypes = map[string]string{CSV: "text/csv; charset=utf-8", JSONLines: "application/jsonl"}

// Serve writes the export as a file to download. A file that breaks off ends the
// connection: nothing else tells it from a whole one. clean, if set, changes each text
// that comes from outside.
func (e Export) Serve(ctx context.Context, w http.ResponseWriter, o *operator.Operator, read ReadOrder, clean func(string) string) error {
	w.Header().Set("Content-Type", mediaTypes[e.Format])
	w.Header().Set("Content-Disposition", `attachment; filename="`+e.What+"."+e.Format+`"`)
	begun := &begunWriter{Writer: w, control: http.NewResponseController(w)}
	err := e.Write(ctx, begun, o, read, clean)
	if err != nil && begun.begun {
		o.Logger.Error("an export broke off", zap.String("error", redact.Emails(err.Error())))
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		w.Header().Del("Content-Disposition")
	}
	return err
}

// Write writes the export; see [Export.Serve].
func (e Export) Write(ctx context.Context, w io.Writer, o *operator.Operator, read ReadOrder, clean func(string) string) error {
	if clean == nil {
		clean = func(text string) string { return text }
	}
	out := newRows(w, e.Format, clean)
	var err error
	switch e.What {
	case "orders":
		out.head(orderColumns)
		now := o.Now()
		e.orders.StateOf = read.StateAt(now)
		err = o.EachOrder(ctx, e.orders, func(order ledger.Order) error {
			return out.row(orderColumns, orderRow(read.View(order, now)))
		})
	case "payments":
		out.head(paymentColumns)
		err = o.Each(ctx, e.events, func(event ledger.Event) error {
			if !o.IsPayment(event) {
				return nil
			}
			return out.row(paymentColumns, paymentRow(event))
		})
	default:
		out.head(eventColumns)
		err = o.Each(ctx, e.events, func(event ledger.Event) error {
			return out.row(eventColumns, eventRow(ViewEvent(event)))
		})
	}
	return errors.Join(err, out.flush())
}

var (
	eventColumns = []string{
		"id", "account", "route", "type", "status", "state", "received_at", "delivered_at", "record_id", "order_id", "reference_id",
		"user_id", "risky", "attempts", "confirmed", "order_state", "fulfill", "credit", "payout", "last_error",
	}
	orderColumns = []string{
		"order_id", "account", "state", "amount_due", "amount_paid", "currency", "late", "fulfilled", "fulfilled_by", "read_at",
	}
	paymentColumns = []string{
		"record_id", "event_id", "account", "type", "received_at", "state", "order_id", "reference_id", "user_id", "coin", "chain", "txid",
		"amount", "fee", "usd_price", "usd_value", "fulfill", "credit", "payout",
	}
)

func eventRow(e Event) []string {
	return []string{
		e.ID, e.Account, e.Route, e.Type, e.Status, e.State.String(), timeText(&e.ReceivedAt), timeText(e.DeliveredAt), e.RecordID, e.OrderID,
		e.ReferenceID, e.UserID, string(e.Risky), strconv.Itoa(e.Attempts), strconv.FormatBool(e.Confirmed), e.OrderState,
		strconv.FormatBool(e.Fulfill), strconv.FormatBool(e.Credit), e.Payout, e.LastError,
	}
}

func orderRow(o Order) []string {
	return []string{
		o.OrderID, o.Account, o.State, o.Due, o.Paid, o.Currency, strconv.FormatBool(o.Late), strconv.FormatBool(o.Fulfilled), o.FulfilledBy,
		timeText(o.ReadAt),
	}
}

func paymentRow(e ledger.Event) []string {
	c := e.Confirmation
	return []string{
		e.ID, e.EventID(), e.Account, e.Type, timeText(&e.ReceivedAt), e.State.String(), e.OrderID, e.ReferenceID, e.UserID, c.Coin, c.Chain,
		c.TxID, c.Amount, c.Fee, c.USDPrice, value(c.Amount, c.USDPrice), strconv.FormatBool(c.Fulfill), strconv.FormatBool(c.Credit), c.Payout,
	}
}

// value is what an amount is worth at a price; empty where either is not known.
func value(amount, price string) string {
	a, err := decimal.NewFromString(amount)
	p, priceErr := decimal.NewFromString(price)
	if err != nil || priceErr != nil {
		return ""
	}
	return a.Mul(p).String()
}

func timeText(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// rows writes rows of texts in one of the formats.
type rows struct {
	clean func(string) string
	out   *bufio.Writer
	csv   *csv.Writer // nil: JSON lines
}

func newRows(w io.Writer, format string, clean func(string) string) *rows {
	r := &rows{clean: clean, out: bufio.NewWriterSize(w, 32<<10)}
	if format == CSV {
		r.csv = csv.NewWriter(r.out)
	}
	return r
}

func (r *rows) head(columns []string) {
	if r.csv != nil {
		_ = r.csv.Write(columns) // an error stays, and comes with the flush
	}
}

func (r *rows) row(columns, cells []string) error {
	for i, cell := range cells {
		cells[i] = r.clean(cell)
	}
	if r.csv != nil {
		for i, cell := range cells {
			cells[i] = inert(cell)
		}
		return r.csv.Write(cells)
	}
	line := make([]byte, 0, 512)
	for i, column := range columns {
		name, err := json.Marshal(column)
		if err != nil {
			return err
		}
		text, err := json.Marshal(cells[i])
		if err != nil {
			return err
		}
		line = append(append(append(append(line, ','), name...), ':'), text...)
	}
	line[0] = '{'
	_, err := r.out.Write(append(line, '}', '\n'))
	return err
}

func (r *rows) flush() error {
	if r.csv != nil {
		r.csv.Flush()
		if err := r.csv.Error(); err != nil {
			return err
		}
	}
	return r.out.Flush()
}

// inert keeps a spreadsheet from running a cell as a formula: what begins like one gets an
// apostrophe in front.
func inert(cell string) string {
	if cell == "" {
		return cell
	}
	switch cell[0] {
	case '=', '+', '-', '@', '\t', '\r':
		return "'" + cell
	default:
		return cell
	}
}
