package main

import (
	"cmp"
	"context"
	"encoding/json"
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
	sent string // for the reader
	// do makes it happen and returns what CCPayment was answered.
	do func(context.Context, *demo) ([]answer, error)

	wantAnswers int
	wantStatus  int
	wantBody    string // exactly, for a 200
	order       string // whose Success the step is about
	wantState   string // what becomes of that in Caddy's ledger; empty: it is not there
	wantCalls   int    // how often the shop is called
	wantRetry   bool   // and whether not at the first attempt
	wantDone    string // what the shop does because of it
}

// answer is what CCPayment gets; its fields can be compared.
type answer struct {
	status int
	body   string
}

// event is what the shop tells of one key.
type event struct {
	Type     string `json:"type"`
	Status   string `json:"status"`
	RecordID string `json:"record_id"`
	OrderID  string `json:"order_id"`
	Attempt  int    `json:"attempt"`
	Times    int    `json:"times"`
	Done     string `json:"done"`
}

func steps() []step {
	var first []webhook // of the first step, for the second
	success := func(s step) step {
		s.wantStatus, s.wantBody = http.StatusOK, "Success"
		return s
	}
	pay := func(p payment) func(context.Context, *demo) ([]answer, error) {
		return func(ctx context.Context, d *demo) ([]answer, error) {
			webhooks, err := d.orderAndPay(ctx, p)
			return answersTo(webhooks), err
		}
	}
	return []step{
		success(step{
			name: "payment", sent: "an invoice paid: two webhooks", wantAnswers: 2,
			order: "order-1001", wantState: "delivered", wantCalls: 2, wantDone: "ships order-1001",
			do: func(ctx context.Context, d *demo) (_ []answer, err error) {
				first, err = d.orderAndPay(ctx, payment{OrderID: "order-1001"})
				return answersTo(first), err
			},
		}),
		success(step{
			name: "resent", sent: "the last again, by resend", wantAnswers: 1,
			order: "order-1001", wantState: "delivered",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.resend(ctx, first) },
		}),
		success(step{
			name: "too little", sent: "20 of 49.90 dollars", wantAnswers: 2,
			order: "order-1002", wantState: "delivered", wantCalls: 2,
			do: pay(payment{OrderID: "order-1002", Amount: "20"}),
		}),
		success(step{
			name: "the rest", sent: "what was missing", wantAnswers: 2,
			order: "order-1002", wantState: "delivered", wantCalls: 2, wantDone: "ships order-1002",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				webhooks, err := d.pay(ctx, payment{OrderID: "order-1002"})
				return answersTo(webhooks), err
			},
		}),
		success(step{
			name: "risky", sent: "paid, but the coins are flagged", wantAnswers: 2,
			order: "order-1003", wantState: "held",
			do: pay(payment{OrderID: "order-1003", Risky: true}),
		}),
		{
			name: "accepted", sent: "nothing: the merchant lets it by",
			order: "order-1003", wantState: "delivered", wantCalls: 1,
			do: func(ctx context.Context, d *demo) ([]answer, error) { return nil, d.accept(ctx, "order-1003") },
		},
		success(step{
			name: "crowd", sent: "a new payment, 50 times at once", wantAnswers: 50,
			order: "order-1004", wantState: "delivered", wantCalls: 1, wantDone: "ships order-1004",
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.crowd(ctx, "order-1004") },
		}),
		{
			name: "forged", sent: "a wrong secret; a changed body", wantAnswers: 2, wantStatus: http.StatusUnauthorized,
			order: "order-1005",
			do:    func(ctx context.Context, d *demo) ([]answer, error) { return d.forge(ctx, "order-1005") },
		},
		success(step{
			name: "invented", sent: "the right secret, no payment", wantAnswers: 1,
			order: "order-1005", wantState: "retrying",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				return d.send(ctx, newPayment("order-1005"), delivery{secret: d.credentials.AppSecret, copies: 1})
			},
		}),
		success(step{
			name: "shop down", sent: "an invoice paid: two webhooks", wantAnswers: 2,
			order: "order-1006", wantState: "retrying",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				d.shop.stop()
				webhooks, err := d.orderAndPay(ctx, payment{OrderID: "order-1006"})
				return answersTo(webhooks), err
			},
		}),
		{
			// The Processing is overtaken by the Success: only that one is news.
			name: "shop back", sent: "nothing: Caddy tries again",
			order: "order-1006", wantState: "delivered", wantCalls: 1, wantRetry: true, wantDone: "ships order-1006",
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
func (d *demo) crowd(ctx context.Context, orderID string) ([]answer, error) {
	var answered struct{}
	lost := map[string]any{"endpoint": "webhook", "drop": "before", "times": 2}
	if err := d.control(ctx, http.MethodPost, "faults", lost, &answered); err != nil {
		return nil, err
	}
	webhooks, err := d.orderAndPay(ctx, payment{OrderID: orderID})
	if err != nil {
		return nil, err
	}
	for _, w := range webhooks {
		if w.Status == "Success" {
			return d.send(ctx, w.Body, delivery{secret: d.credentials.AppSecret, copies: 50})
		}
	}
	return nil, fmt.Errorf("the sandbox sent no Success for %s", orderID)
}

// forge sends what somebody could who has not got the secret: a signature of
// his own, and one of ours under another body.
func (d *demo) forge(ctx context.Context, orderID string) ([]answer, error) {
	guessed, err := d.send(ctx, newPayment(orderID), delivery{secret: "a guess", copies: 1})
	if err != nil {
		return nil, err
	}
	changed, err := d.send(ctx, newPayment(orderID), delivery{secret: d.credentials.AppSecret, copies: 1, signed: newPayment("order-1001")})
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
	const row = "%-10s %-32s %-20s %-37s %-9s "
	fmt.Printf("\n"+row+"\n", "step", "what was sent", "what CCPayment got", "what the shop saw", "ledger")
	fmt.Println(strings.Repeat("-", 117))
	var wrong []error
	var before []event
	for _, s := range steps {
		answers, err := s.do(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		state, after, err := d.outcome(ctx, s, before)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		saw := describeCalls(calls(after)-calls(before), after, doneSince(before, after))
		differences := errors.Join(s.judgeAnswers(answers), s.judgeLedger(state), s.judgeShop(before, after))
		fmt.Printf(row+"%s\n", s.name, s.sent, describeAnswers(answers), saw, cmp.Or(state, "-"), verdict(differences == nil))
		if differences != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, differences))
		}
		before = after
	}
	return errors.Join(wrong...)
}

// outcome waits for what is to become of a step, and returns where its event
// stands in the ledger and what the shop has seen by then. While the shop is
// down it has seen nothing new.
func (d *demo) outcome(ctx context.Context, s step, before []event) (state string, after []event, err error) {
	if state, err = d.stateOf(ctx, s.order, s.wantState); err != nil {
		return "", nil, err
	}
	if d.shop.isDown() {
		return state, before, nil
	}
	after, err = d.events(ctx)
	return state, after, err
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
	response, err := d.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var events []event
	err = json.NewDecoder(response.Body).Decode(&events)
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

func (s step) judgeLedger(state string) error {
	if state != s.wantState {
		return fmt.Errorf("in the ledger the Success of %s is %q, not %q", s.order, state, s.wantState)
	}
	return nil
}

func (s step) judgeShop(before, after []event) error {
	if n := calls(after) - calls(before); n != s.wantCalls {
		return fmt.Errorf("the shop was called %d times, not %d", n, s.wantCalls)
	}
	if done := doneSince(before, after); done != s.wantDone {
		return fmt.Errorf("the shop did %q, not %q", done, s.wantDone)
	}
	if s.wantCalls == 0 {
		return nil
	}
	newest := after[len(after)-1]
	if newest.Type != "ApiDeposit" || newest.Status != "Success" || newest.OrderID != s.order || newest.Times != 1 {
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
	return text + ": " + cmp.Or(done, "nothing to ship")
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
