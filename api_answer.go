package ccpayment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// apiRefusal is an answer of ours. Its code is beyond CCPayment's: ninety
// thousand and the HTTP status.
type apiRefusal struct {
	status  int
	msg     string
	orderID string // of a call whose outcome is unknown
}

const ownCodes = 90_000

func refuseAPI(status int, format string, args ...any) *apiRefusal {
	return &apiRefusal{status: status, msg: fmt.Sprintf(format, args...)}
}

func (e *apiRefusal) write(w http.ResponseWriter) error {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if e.status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "5")
	}
	type unknown struct {
		OrderID string `json:"orderId"`
	}
	answer := struct {
		Code int      `json:"code"`
		Msg  string   `json:"msg"`
		Data *unknown `json:"data,omitempty"`
	}{ownCodes + e.status, e.msg, nil}
	if e.orderID != "" {
		answer.Data = &unknown{e.orderID}
	}
	return writeJSON(w, e.status, answer)
}

var errBusy = errors.New("too many calls at once")

// writeAnswer gives CCPayment's answer back, its data byte for byte.
func writeAnswer(w http.ResponseWriter, data json.RawMessage) error {
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	w.Header().Set("Content-Type", "application/json")
	answer := slices.Concat([]byte(`{"code":`+strconv.Itoa(codeDone)+`,"msg":"success","data":`), data, []byte("}\n"))
	_, err := bytes.NewReader(answer).WriteTo(w)
	return err
}

// codeDone is CCPayment's yes.
const codeDone = 10000

// writeCallError answers for a call that failed. What CCPayment said is given
// back as CCPayment says it, with status 200.
func writeCallError(w http.ResponseWriter, err error) error {
	var unknown *client.OutcomeUnknownError
	var argument *client.ArgumentError
	var refused *client.Error
	switch {
	case errors.As(err, &unknown):
		refusal := refuseAPI(http.StatusGatewayTimeout, "the outcome is unknown: look order %q up before anything else", unknown.OrderID)
		refusal.orderID = unknown.OrderID
		return refusal.write(w)
	case errors.As(err, &argument):
		return refuseAPI(http.StatusBadRequest, "%s %s", argument.Field, argument.Problem).write(w)
	case errors.As(err, &refused) && refused.Code != 0:
		return writeJSON(w, http.StatusOK, struct {
			Code int    `json:"code"`
			Msg  string `json:"msg"`
		}{refused.Code, refused.Msg})
	case errors.Is(err, errBusy):
		return refuseAPI(http.StatusServiceUnavailable, "too many calls at once: try again in a moment").write(w)
	default:
		return refuseAPI(http.StatusBadGateway, "CCPayment did not answer as it should; the call may be made again: %v", err).write(w)
	}
}

// outcomeOf says in a few words what became of a call, without what CCPayment
// said: that may name an address or an amount.
func outcomeOf(err error) string {
	var refused *client.Error
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, client.ErrOutcomeUnknown):
		return "unknown"
	case errors.As(err, &refused) && refused.Code != 0:
		return "refused: " + client.CodeError(refused.Code).Error()
	default:
		return "no answer"
	}
}

// serveCheckout is the door for apps that must return a checkout's address.
func (h *API) serveCheckout(ctx context.Context, w http.ResponseWriter, body []byte) error {
	o, err := readOffer(body, ownPaths)
	switch {
	case errors.Is(err, errNoOffer):
		return refuseAPI(http.StatusBadRequest, "the body has no order_id").write(w)
	case err != nil:
		return refuseAPI(http.StatusBadRequest, "the body: %v", err).write(w)
	}
	setDefault(&o.currency, "USD")
	o.notifyURL = h.till.webhookURL
	done, err := h.till.openOnce(ctx, o)
	if err == nil {
		err = checkHost(done.CheckoutURL, h.hosts)
	}
	status, outcome := http.StatusOK, "again"
	if done.isNew {
		status, outcome = http.StatusCreated, "done"
	}
	var e *checkoutError
	if errors.As(err, &e) {
		outcome = e.code
	}
	h.logger.Info("called CCPayment", zap.String("endpoint", doorCheckout),
		zap.String("order_id", o.orderID[:min(len(o.orderID), longestLoggedID)]), zap.String("outcome", outcome))
	if err != nil {
		return writeCheckoutError(w, err, o.orderID)
	}
	return writeJSON(w, status, viewCheckout(done))
}

// writeCheckoutError tells the app, which unlike a buyer may know the cause.
func writeCheckoutError(w http.ResponseWriter, err error, orderID string) error {
	var e *checkoutError
	if !errors.As(err, &e) {
		return refuseAPI(http.StatusInternalServerError, "the checkout failed").write(w)
	}
	refusal := refuseAPI(e.status, "%s: %v", e.code, e)
	switch {
	case e.code == "bad_terms":
		refusal = refuseAPI(http.StatusBadRequest, "%v", e.cause)
	case e.status == http.StatusGatewayTimeout:
		refusal.orderID = orderID
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.retryAfter.Seconds())))
	}
	return refusal.write(w)
}

// toldOrder is what an app is told of an order.
type toldOrder struct {
	statusView
	CheckoutURL string `json:"checkout_url,omitempty"`
	Token       string `json:"status_token"`
}

// serveOrder is the door for asking about an order.
func (h *API) serveOrder(w http.ResponseWriter, r *http.Request, orderID string) error {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		return refuseAPI(http.StatusMethodNotAllowed, "use GET").write(w)
	}
	shared, err := h.app.acquireLedger()
	if err != nil {
		return refuseAPI(http.StatusServiceUnavailable, "the ledger cannot be read at the moment").write(w)
	}
	defer h.app.releaseLedger()
	order, err := shared.Order(r.Context(), ledger.OrderID{AppID: h.till.appID, ID: h.till.orderPrefix + orderID})
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return refuseAPI(http.StatusNotFound, "there is no order %q", orderID).write(w)
	case err != nil:
		return refuseAPI(http.StatusServiceUnavailable, "the ledger cannot be read at the moment").write(w)
	}
	view := toldOrder{statusView: viewStatus(order, h.app.now()), Token: h.till.statusToken(order.OwnID)}
	if order.Checkout != nil {
		view.CheckoutURL = order.Checkout.Latest().CheckoutURL
	}
	return writeJSON(w, http.StatusOK, view)
}
