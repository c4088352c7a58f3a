package main

import (
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

	delivery payment
	copies   int           // sent at the same time; none means one
	forged   bool          // signed with a secret that is not CCPayment's
	age      time.Duration // how long ago it was signed
	shopDown bool          // the shop is stopped before it and started after it

	wantStatus int
	wantType   string // Content-Type, where it matters
	wantBody   string // exactly, for a 200
	wantCalls  int    // how often the shop is called
	wantTry    int    // the Ccpayment-Attempt of that call
}

// payment is the body of a webhook, and what the shop is to know it by.
type payment struct {
	body     string
	recordID string
	orderID  string
}

// answer is what CCPayment gets; its fields can be compared.
type answer struct {
	status      int
	contentType string
	body        string
}

// event is what the shop tells of one key.
type event struct {
	Type     string `json:"type"`
	Status   string `json:"status"`
	RecordID string `json:"record_id"`
	OrderID  string `json:"order_id"`
	Attempt  int    `json:"attempt"`
	Times    int    `json:"times"`
}

func steps() []step {
	ping := payment{body: `{"type":"ActivateWebhookURL","msg":{}}`}
	first, crowd, missed := newPayment("1001"), newPayment("1002"), newPayment("1005")
	success := func(s step) step {
		s.wantStatus, s.wantType, s.wantBody = http.StatusOK, "text/plain; charset=utf-8", "Success"
		return s
	}
	return []step{
		{
			name: "activation", sent: "the ping of CCPayment's console", delivery: ping,
			wantStatus: http.StatusOK, wantType: "application/json", wantBody: `{"msg":"Success"}`,
		},
		success(step{name: "payment", sent: "ApiDeposit, Success", delivery: first, wantCalls: 1, wantTry: 1}),
		success(step{name: "duplicate", sent: "the same once more", delivery: first}),
		success(step{
			name: "crowd", sent: "a new payment, 50 times at once", delivery: crowd, copies: 50,
			wantCalls: 1, wantTry: 1,
		}),
		{
			name: "forged", sent: "signed with a wrong secret", delivery: newPayment("1003"), forged: true,
			wantStatus: http.StatusUnauthorized,
		},
		{
			name: "stale", sent: "signed an hour ago", delivery: newPayment("1004"), age: time.Hour,
			wantStatus: http.StatusUnauthorized,
		},
		{
			name: "shop down", sent: "a new payment", delivery: missed, shopDown: true,
			wantStatus: http.StatusBadGateway,
		},
		success(step{name: "shop back", sent: "CCPayment's retry of it", delivery: missed, wantCalls: 1, wantTry: 2}),
	}
}

// newPayment makes a payment of an order, under a record id as long as
// CCPayment's.
func newPayment(order string) payment {
	p := payment{
		recordID: fmt.Sprintf("%s%018d", time.Now().UTC().Format("20060102150405"), rand.Int64N(1e18)),
		orderID:  "order-" + order,
	}
	p.body = fmt.Sprintf(`{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":%q,"coinId":1280,`+
		`"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`, p.recordID, p.orderID)
	return p
}

// play goes through the steps, prints a line for each, and returns an error
// that says what was not as promised.
func (d *demo) play(ctx context.Context, steps []step) error {
	const row = "%-12s %-33s %-30s %-22s "
	fmt.Printf("\n"+row+"\n", "step", "what was sent", "what CCPayment got", "what the shop saw")
	fmt.Println(strings.Repeat("-", 104))
	var wrong []error
	before, err := d.events(ctx)
	if err != nil {
		return err
	}
	for _, s := range steps {
		answers, err := d.perform(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		after, err := d.events(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		got := describeAnswers(answers)
		saw := describeCalls(calls(after)-calls(before), after)
		differences := errors.Join(s.judgeAnswers(answers), s.judgeShop(before, after))
		fmt.Printf(row+"%s\n", s.name, s.sent, got, saw, verdict(differences == nil))
		if differences != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.name, differences))
		}
		before = after
	}
	return errors.Join(wrong...)
}

// perform does what the step says and returns the answers to it.
func (d *demo) perform(ctx context.Context, s step) ([]answer, error) {
	if s.shopDown {
		d.shop.stop()
	}
	answers, err := d.send(ctx, s)
	if err != nil || !s.shopDown {
		return answers, err
	}
	return answers, d.startShop(ctx)
}

// send delivers all copies of the step at the same time.
func (d *demo) send(ctx context.Context, s step) ([]answer, error) {
	credentials := d.credentials
	if s.forged {
		credentials.AppSecret = "a guess"
	}
	timestamp := strconv.FormatInt(time.Now().Add(-s.age).Unix(), 10)
	sign := client.Sign(credentials, timestamp, []byte(s.delivery.body))

	answers := make([]answer, max(1, s.copies))
	failures := make([]error, len(answers))
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			<-gate
			answers[i], failures[i] = d.post(ctx, s.delivery.body, http.Header{
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
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(text)}, err
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

func (s step) judgeAnswers(answers []answer) error {
	for _, a := range answers {
		switch {
		case a.status != s.wantStatus:
			return fmt.Errorf("the answer is %d %q, not %d", a.status, a.body, s.wantStatus)
		case s.wantStatus == http.StatusOK && a.body != s.wantBody:
			return fmt.Errorf("the answer's body is %q, not %q", a.body, s.wantBody)
		case s.wantStatus != http.StatusOK && strings.Contains(a.body, "Success"):
			return fmt.Errorf("the answer %d contains the word Success: %q", a.status, a.body)
		case s.wantType != "" && a.contentType != s.wantType:
			return fmt.Errorf("the answer's Content-Type is %q, not %q", a.contentType, s.wantType)
		}
	}
	return nil
}

func (s step) judgeShop(before, after []event) error {
	if n := calls(after) - calls(before); n != s.wantCalls {
		return fmt.Errorf("the shop was called %d times, not %d", n, s.wantCalls)
	}
	if s.wantCalls == 0 {
		return nil
	}
	want := event{
		Type: "ApiDeposit", Status: "Success", RecordID: s.delivery.recordID, OrderID: s.delivery.orderID,
		Attempt: s.wantTry, Times: s.wantCalls,
	}
	if newest := after[len(after)-1]; newest != want {
		return fmt.Errorf("the shop saw %+v, not %+v", newest, want)
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
		if a == first {
			same++
		}
	}
	if same < len(answers) {
		return fmt.Sprintf("%d of %d: %s", same, len(answers), text)
	}
	return fmt.Sprintf("%d times %s", same, text)
}

func describeCalls(n int, events []event) string {
	switch n {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprintf("1 call, attempt %d", events[len(events)-1].Attempt)
	default:
		return fmt.Sprintf("%d calls", n)
	}
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
