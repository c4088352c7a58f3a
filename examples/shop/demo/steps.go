package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// step is one thing that happens, and what must come of it.
type step struct {
	name string
	what string // happens, for the reader
	// do makes it happen and returns the responses that CCPayment got.
	do func(context.Context, *demo) ([]answer, error)

	wantAnswers int
	wantStatus  int
	wantBody    string // exactly, for a 200
	order       string // whose Success the step is about
	wantState   string // what becomes of that in Caddy's ledger; empty: it is not there
	wantCalls   int    // how often the shop is called
	wantRetry   bool   // and whether not at the first attempt
	wantShips   bool   // and whether it ships the order
	wantPage    string // what the buyer's page says of the order
}

// answer is a response to CCPayment; its fields can be compared.
type answer struct {
	status int
	body   string
}

// event is what the shop reports of one key.
type event struct {
	Gateway  string `json:"gateway"`
	Kind     string `json:"kind"`
	Fulfill  bool   `json:"fulfill"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	RecordID string `json:"record_id"`
	OrderID  string `json:"order_id"`
	Attempt  int    `json:"attempt"`
	Times    int    `json:"times"`
	Done     string `json:"done"`
}

func steps() []step {
	var first []webhook // of the first payment, to be sent again
	success := func(s step) step {
		s.wantStatus, s.wantBody = http.StatusOK, "Success"
		return s
	}
	pay := func(p payment) func(context.Context, *demo) ([]answer, error) {
		return func(ctx context.Context, d *demo) ([]answer, error) {
			webhooks, err := d.buyAndPay(ctx, p)
			return answersTo(webhooks), err
		}
	}
	return []step{
		{
			name: "buy", what: "a cap, 49.90: 20 clicks at once", order: "cart-1", wantPage: "unpaid",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return nil, d.click(ctx, "cart-1", 20) },
		},
		success(step{
			name: "payment", what: "it is paid: two webhooks", wantAnswers: 2,
			order: "cart-1", wantState: "delivered", wantCalls: 2, wantShips: true, wantPage: "paid",
			do: func(ctx context.Context, d *demo) (_ []answer, err error) {
				first, err = d.pay(ctx, payment{OrderID: "cart-1"})
				return answersTo(first), err
			},
		}),
		success(step{
			name: "resent", what: "the last again, by resend", wantAnswers: 1,
			order: "cart-1", wantState: "delivered", wantPage: "paid",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.resend(ctx, first) },
		}),
		success(step{
			name: "too little", what: "20 of 49.90 dollars", wantAnswers: 2,
			order: "cart-2", wantState: "delivered", wantCalls: 2, wantPage: "partial",
			do: pay(payment{OrderID: "cart-2", Amount: "20"}),
		}),
		success(step{
			name: "the rest", what: "the same checkout, the rest", wantAnswers: 2,
			order: "cart-2", wantState: "delivered", wantCalls: 2, wantShips: true, wantPage: "paid",
			do: pay(payment{OrderID: "cart-2"}),
		}),
		success(step{
			name: "risky", what: "paid with coins that are flagged", wantAnswers: 2,
			order: "cart-3", wantState: "held", wantPage: "review",
			do: pay(payment{OrderID: "cart-3", Risky: true}),
		}),
		{
			name: "accepted", what: "the merchant lets it by",
			order: "cart-3", wantState: "delivered", wantCalls: 1, wantPage: "review",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return nil, d.accept(ctx, "cart-3") },
		},
		success(step{
			name: "crowd", what: "a new payment, 50 times at once", wantAnswers: 50,
			order: "cart-4", wantState: "delivered", wantCalls: 1, wantShips: true, wantPage: "paid",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.crowd(ctx, "cart-4") },
		}),
		{
			name: "forged", what: "a wrong secret; a changed body", wantAnswers: 2, wantStatus: http.StatusUnauthorized,
			order: "order-5",
			do:    func(ctx context.Context, d *demo) ([]answer, error) { return d.forge(ctx, "order-5") },
		},
		success(step{
			name: "invented", what: "the right secret, no payment", wantAnswers: 1,
			order: "order-5", wantState: "retrying",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				return d.send(ctx, newPayment("order-5"), delivery{secret: d.credentials.AppSecret, copies: 1})
			},
		}),
		success(step{
			name: "shop down", what: "a payment while it is stopped", wantAnswers: 2,
			order: "cart-6", wantState: "retrying", wantPage: "paid",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				if err := d.buy(ctx, "cart-6"); err != nil {
					return nil, err
				}
				d.shop.stop()
				webhooks, err := d.pay(ctx, payment{OrderID: "cart-6"})
				return answersTo(webhooks), err
			},
		}),
		{
			// The Processing is overtaken by the Success: only that one is news.
			name: "shop back", what: "Caddy tries again by itself",
			order: "cart-6", wantState: "delivered", wantCalls: 1, wantRetry: true, wantShips: true, wantPage: "paid",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return nil, d.startShop(ctx) },
		},
	}
}

// resend asks the API to send a record's webhook again, as an operator would.
func (d *demo) resend(ctx context.Context, sent []webhook) ([]answer, error) {
	_, err := d.ccpayment.ResendWebhooks(ctx, client.ResendRequest{
		From: time.Now().Add(-time.Minute), RecordIDs: []string{sent[0].RecordID}, All: true,
	})
	if err != nil {
		return nil, err
	}
	again, err := d.news(ctx, sent)
	return answersTo(again), err
}

// crowd lets a payment's webhooks be lost, and then delivers the last of them
// many times at once.
func (d *demo) crowd(ctx context.Context, order string) ([]answer, error) {
	var answered struct{}
	lost := map[string]any{"endpoint": "webhook", "drop": "before", "times": 2}
	if err := d.control(ctx, http.MethodPost, "faults", lost, &answered); err != nil {
		return nil, err
	}
	webhooks, err := d.buyAndPay(ctx, payment{OrderID: order})
	if err != nil {
		return nil, err
	}
	for _, w := range webhooks {
		if w.Status == "Success" {
			return d.send(ctx, w.Body, delivery{secret: d.credentials.AppSecret, copies: 50})
		}
	}
	return nil, fmt.Errorf("the sandbox sent no Success for %s", order)
}

// forge sends what somebody could who has not got the secret: a signature of
// his own, and one of ours under another body.
func (d *demo) forge(ctx context.Context, orderID string) ([]answer, error) {
	guessed, err := d.send(ctx, newPayment(orderID), delivery{secret: "a guess", copies: 1})
	if err != nil {
		return nil, err
	}
	changed, err := d.send(ctx, newPayment(orderID), delivery{secret: d.credentials.AppSecret, copies: 1, signed: newPayment("order-4")})
	return append(guessed, changed...), err
}

// newPayment is the body of a webhook that CCPayment never sent.
func newPayment(orderID string) string {
	return fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":"%s%018d","orderId":%q,"coinId":1280,`+
		`"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`,
		time.Now().UTC().Format("20060102150405"), rand.Int64N(1e18), orderID)
}

// play goes through the steps, prints a line for each, and returns an error
// that says what was not as promised.
func (d *demo) play(ctx context.Context, steps []step) error {
	const row = "%-10s %-33s %-21s %-28s %-9s %-8s "
	fmt.Printf("\n"+row+"\n", "step", "what happens", "what CCPayment got", "what the shop saw", "ledger", "page")
	fmt.Println(strings.Repeat("-", 117))
	var wrong []error
	var before []event
	for _, s := range steps {
		answers, err := s.do(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		got, err := d.outcome(ctx, s, before)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		after := got.events
		saw := describeCalls(calls(after)-calls(before), after, doneSince(before, after))
		differences := errors.Join(s.judgeAnswers(answers), s.judgeOutcome(got), s.judgeShop(before, after, d.orderID(s.order)))
		fmt.Printf(row+"%s\n", s.name, s.what, describeAnswers(answers), saw, cmp.Or(got.ledger, "-"), cmp.Or(got.page, "-"), verdict(differences == nil))
		if differences != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, differences))
		}
		before = after
	}
	return errors.Join(wrong...)
}

// outcome is what became of a step.
type outcome struct {
	ledger string  // where its event stands; empty: there is none
	page   string  // what the buyer's page says
	events []event // all that the shop has seen
}

// outcome waits for what is to become of a step. While the shop is down it has
// seen nothing new.
func (d *demo) outcome(ctx context.Context, s step, before []event) (got outcome, err error) {
	if got.ledger, err = d.stateOf(ctx, s.order, s.wantState); err != nil {
		return got, err
	}
	if got.page, err = d.shownTo(ctx, s.order); err != nil {
		return got, err
	}
	if got.events = before; !d.shop.isDown() {
		got.events, err = d.events(ctx)
	}
	return got, err
}

// delivery is how a body is sent that does not come from the sandbox.
type delivery struct {
	secret string
	copies int    // sent at the same time
	signed string // what is signed instead of the body
}

func (d *demo) send(ctx context.Context, body string, how delivery) ([]answer, error) {
	credentials := client.Credentials{AppID: d.credentials.AppID, AppSecret: how.secret}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sign := client.Sign(credentials, timestamp, []byte(cmp.Or(how.signed, body)))

	answers := make([]answer, how.copies)
	failures := make([]error, how.copies)
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			<-gate
			answers[i], failures[i] = d.post(ctx, body, http.Header{
				"Content-Type": {"application/json"},
				"Appid":        {credentials.AppID},
				"Timestamp":    {timestamp},
				"Sign":         {sign},
			})
		})
	}
	close(gate)
	all.Wait()
	return answers, errors.Join(failures...)
}

func (d *demo) post(ctx context.Context, body string, headers http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.siteURL+"/hook", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header = headers
	response, err := d.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return answer{response.StatusCode, string(text)}, err
}

// events asks the shop itself, not through Caddy, what it has seen so far.
func (d *demo) events(ctx context.Context) ([]event, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.shopAddr+"/events", nil)
	if err != nil {
		return nil, err
	}
	var events []event
	err = d.ask(request, &events)
	return events, err
}

func calls(events []event) int {
	n := 0
	for _, e := range events {
		n += e.Times
	}
	return n
}

// doneSince is what the shop did because of the events that are new.
func doneSince(before, after []event) string {
	var done []string
	for _, e := range after[len(before):] {
		if e.Done != "" {
			done = append(done, e.Done)
		}
	}
	return strings.Join(done, ", ")
}

func (s step) judgeAnswers(answers []answer) error {
	if len(answers) != s.wantAnswers {
		return fmt.Errorf("CCPayment got %d answers, not %d", len(answers), s.wantAnswers)
	}
	for _, a := range answers {
		switch {
		case a.status != s.wantStatus:
			return fmt.Errorf("the answer is %d %q, not %d", a.status, a.body, s.wantStatus)
		case s.wantStatus == http.StatusOK && a.body != s.wantBody:
			return fmt.Errorf("the answer's body is %q, not %q", a.body, s.wantBody)
		case s.wantStatus != http.StatusOK && strings.Contains(a.body, "Success"):
			return fmt.Errorf("the answer %d contains the word Success: %q", a.status, a.body)
		}
	}
	return nil
}

func (s step) judgeOutcome(got outcome) error {
	if got.ledger != s.wantState || got.page != s.wantPage {
		return fmt.Errorf("the Success of %s is %q in the ledger, and its buyer's page says %q; not %q and %q",
			s.order, got.ledger, got.page, s.wantState, s.wantPage)
	}
	return nil
}

func (s step) judgeShop(before, after []event, orderID string) error {
	if n := calls(after) - calls(before); n != s.wantCalls {
		return fmt.Errorf("the shop was called %d times, not %d", n, s.wantCalls)
	}
	want := ""
	if s.wantShips {
		want = "ships " + orderID
	}
	if done := doneSince(before, after); done != want {
		return fmt.Errorf("the shop did %q, not %q", done, want)
	}
	if s.wantCalls == 0 {
		return nil
	}
	newest := after[len(after)-1]
	if newest.Type != "ApiDeposit" || newest.Status != "Success" || newest.OrderID != orderID || newest.Times != 1 {
		return fmt.Errorf("the last that the shop saw is %+v, not the Success of %s for the first time", newest, s.order)
	}
	if retried := newest.Attempt > 1; retried != s.wantRetry {
		return fmt.Errorf("the shop saw attempt %d", newest.Attempt)
	}
	return nil
}

func describeAnswers(answers []answer) string {
	if len(answers) == 0 {
		return "-"
	}
	first := answers[0]
	text := strconv.Itoa(first.status)
	if first.status == http.StatusOK {
		text += " " + first.body
	}
	if len(answers) == 1 {
		return text
	}
	same := 0
	for _, a := range answers {
		if a.status == first.status && (a.body == first.body || a.status != http.StatusOK) {
			same++
		}
	}
	if same < len(answers) {
		return fmt.Sprintf("%d of %d: %s", same, len(answers), text)
	}
	return fmt.Sprintf("%d times %s", same, text)
}

func describeCalls(n int, events []event, done string) string {
	if n == 0 {
		return "nothing"
	}
	text := "1 call"
	if n > 1 {
		text = strconv.Itoa(n) + " calls"
	}
	if attempt := events[len(events)-1].Attempt; attempt > 1 {
		text += fmt.Sprintf(", attempt %d", attempt)
	}
	if done == "" {
		return text
	}
	return text + ": ships it"
}

// verdict is coloured only where a person looks at it.
func verdict(ok bool) string {
	text, colour := "ok", "\x1b[32m"
	if !ok {
		text, colour = "WRONG", "\x1b[31m"
	}
	if !isTerminal(os.Stdout) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return colour + text + "\x1b[0m"
}
