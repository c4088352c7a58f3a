package apiproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// errorResponse is an error response of the proxy itself. Its code is one that no gateway
// has: 90000 plus the HTTP status.
type errorResponse struct {
	status  int
	msg     string
	unknown *unknown // the call whose outcome is unknown; else nil
}

// unknown is what is known about a call whose outcome is not: its order, or what else can
// be looked up, and the gateway's own code and message where it gave a code that proves
// nothing.
type unknown struct {
	OrderID   string `json:"orderId,omitempty"`
	Reference string `json:"reference,omitempty"`
	Code      code   `json:"code,omitempty"`
	Msg       string `json:"msg,omitempty"`
}

// code is a gateway's code: a number in JSON where it is one.
type code string

// MarshalJSON implements [json.Marshaler].
func (c code) MarshalJSON() ([]byte, error) {
	if n, err := strconv.Atoi(string(c)); err == nil {
		return json.Marshal(n)
	}
	return json.Marshal(string(c))
}

const ownCodes = 90_000

func refuse(status int, format string, args ...any) *errorResponse {
	return &errorResponse{status: status, msg: fmt.Sprintf(format, args...)}
}

func (e *errorResponse) write(w http.ResponseWriter) error {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if e.status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "5")
	}
	response := struct {
		Code int      `json:"code"`
		Msg  string   `json:"msg"`
		Data *unknown `json:"data,omitempty"`
	}{ownCodes + e.status, e.msg, e.unknown}
	return writeJSON(w, e.status, response)
}

var errBusy = errors.New("too many calls at once")

// writeAnswer writes the response to a call. The gateway's answer is passed on as it is.
func (p *Proxy) writeAnswer(w http.ResponseWriter, answer gateway.APIAnswer, err error) error {
	var lost *gateway.LostError
	var field *gateway.FieldError
	switch {
	case err == nil:
	case errors.As(err, &lost):
		return outcomeUnknown(lost, p.account.Info.Title).write(w)
	case errors.As(err, &field):
		return refuse(http.StatusBadRequest, "%s %s", field.Field, field.Problem).write(w)
	case errors.Is(err, errBusy):
		return refuse(http.StatusServiceUnavailable, "too many calls at once: try again in a moment").write(w)
	default:
		return refuse(http.StatusBadGateway, "%s did not answer as it should; the call may be made again: %v", p.account.Info.Title, err).write(w)
	}
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	if answer.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(answer.RetryAfter.Seconds()))))
	}
	w.WriteHeader(answer.Status)
	_, err = w.Write(answer.Body)
	return err
}

// outcomeUnknown returns the response to a call whose outcome is unknown.
func outcomeUnknown(lost *gateway.LostError, title string) *errorResponse {
	msg := "the outcome is unknown: no order was named, and none can be looked up"
	switch {
	case lost.NoCall:
		msg = "the outcome is unknown: " + lost.Hint
	case lost.OrderID != "":
		msg = fmt.Sprintf("the outcome is unknown: look order %q up before anything else", lost.OrderID)
	case lost.Reference != "":
		msg = fmt.Sprintf("the outcome is unknown: look %q up before anything else", lost.Reference)
	}
	if lost.Code != "" {
		msg += fmt.Sprintf("; %s answered %s: %s", title, lost.Label(), lost.Msg)
	}
	response := refuse(http.StatusGatewayTimeout, "%s", msg)
	if lost.OrderID+lost.Reference+lost.Code != "" {
		response.unknown = &unknown{lost.OrderID, lost.Reference, code(lost.Code), lost.Msg}
	}
	return response
}

// outcomeOf describes a call's outcome in a few words, for the log. It leaves out the
// gateway's message, which may have an address or an amount.
func outcomeOf(answer gateway.APIAnswer, err error) string {
	var lost *gateway.LostError
	switch {
	case answer.Refusal != nil:
		return "refused: " + answer.Refusal.Label()
	case err == nil:
		return "done"
	case errors.As(err, &lost) && lost.Code != "":
		return "unknown: " + lost.Label()
	case lost != nil:
		return "unknown"
	default:
		return "no answer"
	}
}

// ownPaths are the paths of a checkout request's fields in a call's body.
var ownPaths = checkout.OwnPaths()

// serveCheckout serves POST checkout: it opens a checkout session and returns it in
// JSON, for apps that must have the URL of the checkout page.
func (p *Proxy) serveCheckout(ctx context.Context, w http.ResponseWriter, body []byte) error {
	request, err := checkout.ReadRequest(body, ownPaths)
	switch {
	case errors.Is(err, checkout.ErrNoRequest):
		return refuse(http.StatusBadRequest, "the body has no order_id").write(w)
	case err != nil:
		return refuse(http.StatusBadRequest, "the body: %v", err).write(w)
	}
	if request.Currency == "" {
		request.Currency = "USD"
	}
	at, err := p.choices.Of(request)
	var session checkout.Session
	if err == nil {
		request.NotifyURL = at.NotifyURL
		session, err = at.Open(ctx, request)
	}
	if err == nil {
		err = at.CheckHost(session.CheckoutURL)
	}
	status, outcome := http.StatusOK, "again"
	if session.IsNew {
		status, outcome = http.StatusCreated, "done"
	}
	if err != nil {
		outcome = checkout.OutcomeOf(session, err)
	}
	p.logCall(ownCheckout.Name, request.OrderID, outcome)
	p.opened(at.Account().Name, checkout.OutcomeOf(session, err))
	if err != nil {
		return writeCheckoutError(w, err, request.OrderID)
	}
	return writeJSON(w, status, checkout.ViewOf(session))
}

// writeCheckoutError writes the response to a checkout that failed. It has the cause,
// which an app may know, unlike a buyer.
func writeCheckoutError(w http.ResponseWriter, err error, orderID string) error {
	var e *checkout.Error
	if !errors.As(err, &e) {
		return refuse(http.StatusInternalServerError, "the checkout failed").write(w)
	}
	response := refuse(e.Status, "%s: %v", e.Code, e)
	switch {
	case e.Code == "bad_terms":
		response = refuse(http.StatusBadRequest, "%v", e.Cause)
	case e.Status == http.StatusGatewayTimeout:
		response.unknown = &unknown{OrderID: orderID}
		var lost *gateway.LostError
		if errors.As(err, &lost) {
			response.unknown.Code, response.unknown.Msg = code(lost.Code), lost.Msg
		}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	return response.write(w)
}

// orderView is an order's status in JSON, for the app.
type orderView struct {
	checkout.StatusView
	CheckoutURL string `json:"checkout_url,omitempty"`
	Token       string `json:"status_token"`
}

// serveOrder serves GET orders/<id>: it returns the order's status in JSON.
func (p *Proxy) serveOrder(ctx context.Context, w http.ResponseWriter, orderID string) error {
	unreadable := refuse(http.StatusServiceUnavailable, "the ledger cannot be read at the moment")
	l, release, err := p.ledger()
	if err != nil {
		return unreadable.write(w)
	}
	defer release()
	at := p.choices[0] // the others share its orders
	order, err := l.Order(ctx, at.Account().OrderIDs(orderID)...)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return noOrder(orderID).write(w)
	case err != nil:
		return unreadable.write(w)
	}
	view := orderView{StatusView: checkout.Status(order, l.Now()), Token: at.StatusToken(order.OwnID)}
	if order.Checkout != nil && !order.IsClosed() {
		view.CheckoutURL = order.Checkout.Latest().CheckoutURL
	}
	return writeJSON(w, http.StatusOK, view)
}

// serveClose serves DELETE orders/<id>: it closes the order, and returns its status as GET
// does.
func (p *Proxy) serveClose(ctx context.Context, w http.ResponseWriter, orderID string) error {
	order, err := p.choices[0].Close(ctx, checkout.CloseRequest{OrderID: orderID, Reason: "by the app"})
	outcome := "done"
	var e *checkout.Error
	if errors.As(err, &e) {
		outcome = e.Code
	}
	p.logCall(ownClose.Name, orderID, outcome)
	switch {
	case e != nil && e.Status == http.StatusNotFound:
		return noOrder(orderID).write(w)
	case err != nil:
		return writeCheckoutError(w, err, orderID)
	}
	return p.serveOrder(ctx, w, order.OwnID)
}

func noOrder(orderID string) *errorResponse {
	return refuse(http.StatusNotFound, "there is no order %q", orderID)
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
