package apiproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// errorResponse is an error response of the proxy itself. Its code is one that CCPayment
// does not have: 90000 plus the HTTP status.
type errorResponse struct {
	status  int
	msg     string
	unknown *unknown // the call whose outcome is unknown; else nil
}

// unknown is what is known about a call whose outcome is not: its order, and
// CCPayment's own code and message where it gave a code that proves nothing.
type unknown struct {
	OrderID string `json:"orderId,omitempty"`
	Code    int    `json:"code,omitempty"`
	Msg     string `json:"msg,omitempty"`
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

// writeData writes a success with CCPayment's data, byte for byte.
func writeData(w http.ResponseWriter, data json.RawMessage) error {
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	w.Header().Set("Content-Type", "application/json")
	response := slices.Concat([]byte(`{"code":`+strconv.Itoa(codeDone)+`,"msg":"success","data":`), data, []byte("}\n"))
	_, err := bytes.NewReader(response).WriteTo(w)
	return err
}

// codeDone is CCPayment's code for success.
const codeDone = 10000

// writeCallError writes the response to a call that failed. A refusal of CCPayment's is
// passed on with its code and message, and with status 200.
func writeCallError(w http.ResponseWriter, err error) error {
	var lost *client.OutcomeUnknownError
	var argument *client.ArgumentError
	var refused *client.Error
	switch {
	case errors.As(err, &lost):
		return outcomeUnknown(lost).write(w)
	case errors.As(err, &argument):
		return refuse(http.StatusBadRequest, "%s %s", argument.Field, argument.Problem).write(w)
	case errors.As(err, &refused) && refused.Code != 0:
		return writeJSON(w, http.StatusOK, struct {
			Code int    `json:"code"`
			Msg  string `json:"msg"`
		}{refused.Code, refused.Msg})
	case errors.Is(err, errBusy):
		return refuse(http.StatusServiceUnavailable, "too many calls at once: try again in a moment").write(w)
	default:
		return refuse(http.StatusBadGateway, "CCPayment did not answer as it should; the call may be made again: %v", err).write(w)
	}
}

// outcomeUnknown returns the response to a call whose outcome is unknown.
func outcomeUnknown(lost *client.OutcomeUnknownError) *errorResponse {
	msg := "the outcome is unknown: no order was named, and none can be looked up"
	if lost.OrderID != "" {
		msg = fmt.Sprintf("the outcome is unknown: look order %q up before anything else", lost.OrderID)
	}
	if lost.Code != 0 {
		msg += fmt.Sprintf("; CCPayment answered %v: %s", client.CodeError(lost.Code), lost.Msg)
	}
	response := refuse(http.StatusGatewayTimeout, "%s", msg)
	if lost.OrderID != "" || lost.Code != 0 {
		response.unknown = &unknown{lost.OrderID, lost.Code, lost.Msg}
	}
	return response
}

// outcomeOf describes a call's outcome in a few words, for the log. It leaves out
// CCPayment's message, which may have an address or an amount.
func outcomeOf(err error) string {
	var lost *client.OutcomeUnknownError
	var refused *client.Error
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &lost) && lost.Code != 0:
		return "unknown: " + client.CodeError(lost.Code).Error()
	case lost != nil:
		return "unknown"
	case errors.As(err, &refused) && refused.Code != 0:
		return "refused: " + client.CodeError(refused.Code).Error()
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
	var e *checkout.Error
	if errors.As(err, &e) {
		outcome = e.Code
	}
	p.logCall(ownCheckout, request.OrderID, outcome)
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
		var lost *client.OutcomeUnknownError
		if errors.As(err, &lost) {
			response.unknown.Code, response.unknown.Msg = lost.Code, lost.Msg
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
func (p *Proxy) serveOrder(w http.ResponseWriter, r *http.Request, orderID string) error {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		return refuse(http.StatusMethodNotAllowed, "use GET").write(w)
	}
	unreadable := refuse(http.StatusServiceUnavailable, "the ledger cannot be read at the moment")
	l, release, err := p.ledger()
	if err != nil {
		return unreadable.write(w)
	}
	defer release()
	at := p.choices[0] // the others share its orders
	order, err := l.Order(r.Context(), at.Account().OrderIDs(orderID)...)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return refuse(http.StatusNotFound, "there is no order %q", orderID).write(w)
	case err != nil:
		return unreadable.write(w)
	}
	view := orderView{StatusView: checkout.Status(order, l.Now()), Token: at.StatusToken(order.OwnID)}
	if order.Checkout != nil {
		view.CheckoutURL = order.Checkout.Latest().CheckoutURL
	}
	return writeJSON(w, http.StatusOK, view)
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
