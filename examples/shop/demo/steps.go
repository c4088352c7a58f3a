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

// step is one thing that happens to a webhook URL, and what must come of it.
type step struct {
	name string
	sent string // for the reader
	// do makes it happen and returns what CCPayment was answered.
	do func(context.Context, *demo) ([]answer, error)

	wantAnswers int
	wantStatus  int
	wantBody    string // exactly, for a 200
	wantCalls   int    // how often the shop is called
	wantTry     int    // the Ccpayment-Attempt of the last call
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
	// What a step did that a later one goes on with.
	var first, missed []webhook
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
			name: "payment", sent: "an invoice paid: two webhooks", wantAnswers: 2, wantCalls: 2, wantTry: 1,
			wantDone: "ships order-1001",
			do: func(ctx context.Context, d *demo) (_ []answer, err error) {
				first, err = d.orderAndPay(ctx, payment{OrderID: "order-1001"})
				return answersTo(first), err
			},
		}),
		success(step{
			name: "resent", sent: "the last again, by webhook/resend", wantAnswers: 1,
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.resend(ctx, first) },
		}),
		success(step{
			name: "too little", sent: "20 of 49.90 dollars", wantAnswers: 2, wantCalls: 2, wantTry: 1,
			do: pay(payment{OrderID: "order-1002", Amount: "20"}),
		}),
		success(step{
			name: "the rest", sent: "what was missing", wantAnswers: 2, wantCalls: 2, wantTry: 1,
			wantDone: "ships order-1002",
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				webhooks, err := d.pay(ctx, payment{OrderID: "order-1002"})
				return answersTo(webhooks), err
			},
		}),
		success(step{
			name: "risky", sent: "paid, with coins that are flagged", wantAnswers: 2,
			do: pay(payment{OrderID: "order-1003", Risky: true}),
		}),
		success(step{
			name: "crowd", sent: "a new payment, 50 times at once", wantAnswers: 50, wantCalls: 1, wantTry: 1,
			wantDone: "ships order-1004",
			do:       func(ctx context.Context, d *demo) ([]answer, error) { return d.crowd(ctx, "order-1004") },
		}),
		{
			name: "forged", sent: "a wrong secret; an old recording", wantAnswers: 2, wantStatus: http.StatusUnauthorized,
			do: func(ctx context.Context, d *demo) ([]answer, error) { return d.forge(ctx, "order-1005") },
		},
		{
			name: "invented", sent: "the right secret, no payment", wantAnswers: 1, wantStatus: http.StatusServiceUnavailable,
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				return d.send(ctx, newPayment("order-1005"), delivery{secret: d.credentials.AppSecret, copies: 1})
			},
		},
		{
			name: "shop down", sent: "an invoice paid: two webhooks", wantAnswers: 2, wantStatus: http.StatusBadGateway,
			do: func(ctx context.Context, d *demo) ([]answer, error) {
				d.shop.stop()
				var err error
				missed, err = d.orderAndPay(ctx, payment{OrderID: "order-1006"})
				return answersTo(missed), errors.Join(err, d.startShop(ctx))
			},
		},
		success(step{
			// The Processing is overtaken by the Success: only that one is news.
			name: "shop back", sent: "CCPayment's retries of them", wantAnswers: 2, wantCalls: 1, wantTry: 2,
			wantDone: "ships order-1006",
			do:       func(ctx context.Context, d *demo) ([]answer, error) { return d.retry(ctx, missed) },
		}),
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

// retry lets the time pass until CCPayment has tried each webhook again.
func (d *demo) retry(ctx context.Context, sent []webhook) ([]answer, error) {
	if err := d.advance(ctx, 30*time.Second); err != nil {
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
// his own, and one of ours that he recorded an hour ago.
func (d *demo) forge(ctx context.Context, orderID string) ([]answer, error) {
	guessed, err := d.send(ctx, newPayment(orderID), delivery{secret: "a guess", copies: 1})
	if err != nil {
		return nil, err
	}
	recorded, err := d.send(ctx, newPayment(orderID), delivery{secret: d.credentials.AppSecret, copies: 1, age: time.Hour})
	return append(guessed, recorded...), err
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
	const row = "%-11s %-34s %-22s %-37s "
	fmt.Printf("\n"+row+"\n", "step", "what was sent", "what CCPayment got", "what the shop saw")
	fmt.Println(strings.Repeat("-", 113))
	var wrong []error
	before, err := d.events(ctx)
	if err != nil {
		return err
	}
	for _, s := range steps {
		answers, err := s.do(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		after, err := d.events(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		got := describeAnswers(answers)
		saw := describeCalls(calls(after)-calls(before), after, doneSince(before, after))
		differences := errors.Join(s.judgeAnswers(answers), s.judgeShop(before, after))
		fmt.Printf(row+"%s\n", s.name, s.sent, got, saw, verdict(differences == nil))
		if differences != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, differences))
		}
		before = after
	}
	return errors.Join(wrong...)
}

// delivery is how a body is sent that does not come from the sandbox.
type delivery struct {
	secret string
	copies int           // sent at the same time
	age    time.Duration // how long ago it was signed
}

func (d *demo) send(ctx context.Context, body string, how delivery) ([]answer, error) {
	credentials := client.Credentials{AppID: d.credentials.AppID, AppSecret: how.secret}
	timestamp := strconv.FormatInt(time.Now().Add(-how.age).Unix(), 10)
	sign := client.Sign(credentials, timestamp, []byte(body))

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
	if newest.Type != "ApiDeposit" || newest.Status != "Success" || newest.Attempt != s.wantTry || newest.Times != 1 {
		return fmt.Errorf("the last that the shop saw is %+v, not an ApiDeposit of status Success at attempt %d", newest, s.wantTry)
	}
	return nil
}

func describeAnswers(answers []answer) string {
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
