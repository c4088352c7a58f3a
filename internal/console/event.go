package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

type eventView struct {
	item
	Details adminapi.EventDetails
	Steps   []moment
	// Body is the webhook's, and Curl makes its request once more, both without e-mail
	// addresses; empty: the body is gone.
	Body, Curl string
	// Order is the address of its order; empty: it has none.
	Order string
	// Explorer shows the transaction; empty: its chain is not known.
	Explorer string
}

// moment is a step of an event's history.
type moment struct {
	ledger.Transition
	// Took is how long the attempt took that ended here, at least; 0: none did.
	Took time.Duration
	// Answer is what the app answered; nil: nothing that is kept.
	Answer *ledger.Answer
}

// PlainYes: the app answered with a 2xx that said no more than yes.
func (m moment) PlainYes() bool {
	return m.State == ledger.Delivered && m.Attempt > 0 && m.Answer == nil
}

// historyOf is an event's history, with the app's answers where their attempts ended.
func historyOf(e adminapi.EventDetails) []moment {
	list := make([]moment, 0, len(e.Transitions))
	answers := make(map[int]*ledger.Answer, len(e.Answers))
	for i := range e.Answers {
		answers[e.Answers[i].Attempt] = &e.Answers[i]
	}
	for _, t := range slices.Backward(e.Transitions) { // of two with one number, the later was answered last
		m := moment{Transition: t}
		if t.Attempt > 0 && t.State != ledger.Delivering {
			m.Answer = answers[t.Attempt]
			delete(answers, t.Attempt)
		}
		list = append(list, m)
	}
	slices.Reverse(list)
	for i := 1; i < len(list); i++ {
		if list[i-1].State == ledger.Delivering && list[i].Attempt == list[i-1].Attempt {
			list[i].Took = list[i].At.Sub(list[i-1].At)
		}
	}
	return list
}

// Confirmed are what the gateway's records said, by name.
func (v eventView) Confirmed() [][2]string {
	c := v.Details.Confirmation
	if c == nil {
		return nil
	}
	list := [][2]string{
		{"Amount", strings.TrimSpace(c.Amount + " " + c.Coin)},
		{"Chain", c.Chain},
		{"Transaction", c.TxID},
		{"Fee", c.Fee},
		{"Price in USD", c.USDPrice},
		{"Risky", string(c.Risk)},
		{"Order", c.OrderState},
		{"Due", strings.TrimSpace(c.OrderDue + " " + c.OrderCurrency)},
		{"Paid", c.OrderPaid},
		{"Payout", c.Payout},
		{"Why it fulfils nothing", c.Reason},
	}
	if c.OrderLate {
		list = append(list, [2]string{"Late", "yes"})
	}
	return slices.DeleteFunc(list, func(field [2]string) bool { return field[1] == "" })
}

// event loads the event that the parameters name.
func (v *visit) event(id, route string) (ledger.Event, error) {
	key, err := adminapi.FindEvent(v.ctx, v.o, id, route)
	if err != nil {
		return ledger.Event{}, err
	}
	return v.o.Ledger.Load(v.ctx, key)
}

// showEvent shows all that the ledger has of an event.
func (v *visit) showEvent() (answer, error) {
	e, err := v.event(v.query.Get("id"), v.query.Get("route"))
	if err != nil {
		return answer{}, err
	}
	return v.eventPage(e, told[operator.Step(v.query.Get("did"))])
}

func (v *visit) eventPage(e ledger.Event, told string) (answer, error) {
	items, err := v.items(e)
	if err != nil {
		return answer{}, err
	}
	i := items[0]
	details, err := adminapi.DescribeEvent(v.ctx, v.o, e)
	if err != nil {
		return answer{}, err
	}
	view := eventView{item: i, Details: details, Steps: historyOf(details)}
	if e.Body != nil {
		view.Body = redact.Emails(string(e.Body))
		view.Curl = curl(e, view.Body)
	}
	if e.GatewayOrderID != "" {
		view.Order = link("order", "event", i.ID, "route", i.Route)
	}
	if c := e.Confirmation; c != nil {
		view.Explorer = explorer(c.Chain, c.TxID)
	}
	title := strings.TrimSpace(e.Type + " " + e.Status)
	return answer{template: "event.html", page: page{Title: title, At: "events", Told: told, View: view}}, nil
}

// curl is a command that makes an event's request of the app once more, without what
// authorizes it.
func curl(e ledger.Event, body string) string {
	scheme := "http"
	if e.Request.TLS {
		scheme = "https"
	}
	lines := []string{"curl " + quote(redact.Emails(scheme+"://"+e.Request.Host+e.Request.URI))}
	header := func(name, value string) {
		if value != "" {
			lines = append(lines, "-H "+quote(name+": "+redact.Emails(value)))
		}
	}
	header("Content-Type", e.Request.ContentType)
	header("Idempotency-Key", e.EventID())
	header("Ccpayment-Type", e.Type)
	header("Ccpayment-Status", e.Status)
	if e.HasID() {
		header("Ccpayment-Record-Id", e.ID)
	}
	header("Ccpayment-Order-Id", e.OrderID)
	lines = append(lines, "--data-raw "+quote(body))
	return strings.Join(lines, " \\\n  ")
}

// quote makes a text one word of a shell.
func quote(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), "'", `'\''`) + "'"
}

// longestReason is more than anybody has to say.
const longestReason = 500

// reason reads why a step is taken. Who takes it stands behind, in the event's history.
func (v *visit) reason() (string, error) {
	text := strings.TrimSpace(oneLine(v.r.PostForm.Get("reason")))
	switch {
	case text == "":
		return "", &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("say why, for the event's history: go back, and fill in the reason")}
	case len(text) > longestReason:
		return "", &adminapi.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("the reason is longer than %d bytes: say it in less", longestReason)}
	}
	return text + " (" + oneLine(v.user) + ")", nil
}

// takeStep takes an event through the step that its form asks for, if the event is still
// as the user saw it.
func (v *visit) takeStep() (answer, error) {
	form := v.r.PostForm
	reason, err := v.reason()
	if err != nil {
		return answer{}, err
	}
	step := operator.Step(form.Get("step"))
	if told[step] == "" {
		return answer{}, &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("there is no such step: open the event again")}
	}
	e, err := v.event(form.Get("id"), form.Get("route"))
	if err != nil {
		return answer{}, err
	}
	seen := ledger.Seen{Attempts: -1, HeldAs: form.Get("held_as")}
	err = seen.State.UnmarshalText([]byte(form.Get("state")))
	if text := form.Get("attempts"); err == nil && text != "" {
		seen.Attempts, err = strconv.Atoi(text)
	}
	if err != nil {
		return answer{}, &adminapi.Error{Status: http.StatusBadRequest, Err: errors.New("say in which state you saw the event: open it again")}
	}
	result, err := v.o.Do(v.ctx, e.Key, operator.Request{Step: step, Reason: reason, Force: form.Get("force") != ""}, seen)
	v.log("an operator's step", err, zap.String("step", string(step)), zap.String("reason", redact.Emails(form.Get("reason"))),
		zap.String("event_id", e.EventID()), zap.String("route", e.Route))
	if err != nil {
		return answer{}, err
	}
	if result.Warning != "" {
		if e, err = v.o.Ledger.Load(v.ctx, e.Key); err != nil {
			return answer{}, err
		}
		return v.eventPage(e, result.Warning)
	}
	return answer{location: link("event", "id", e.EventID(), "route", e.Route, "did", string(step))}, nil
}

// log says in the log who did what.
func (v *visit) log(message string, err error, fields ...zap.Field) {
	fields = append([]zap.Field{zap.String("user", v.user)}, fields...)
	if err != nil {
		fields = append(fields, zap.String("refused", redact.Emails(err.Error())))
	}
	v.o.Logger.Info(message, fields...)
}
