package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// webhook is one try of the sandbox to deliver a webhook, as its log has it.
type webhook struct {
	RecordID   string `json:"record_id"`
	Status     string `json:"status"`
	Body       string `json:"body"`
	Attempt    int    `json:"attempt"`
	HTTPStatus int    `json:"http_status"`
	Answer     string `json:"answer"`
}

// startSandbox starts the CCPayment and the CoinPayments that this demo plays with.
func (d *demo) startSandbox(ctx context.Context, caddy string) error {
	var err error
	d.sandbox, err = startProcess("the sandbox", filepath.Join(d.dir, "sandbox.log"), []string{
		"CCPAYMENT_APP_ID=" + d.credentials.AppID,
		"CCPAYMENT_APP_SECRET=" + d.credentials.AppSecret,
		"COINPAYMENTS_CLIENT_ID=" + d.coins.ClientID,
		"COINPAYMENTS_CLIENT_SECRET=" + d.coins.ClientSecret,
	}, caddy, "ccpayment", "sandbox", "--listen", d.sandboxAddr)
	if err != nil {
		return err
	}
	d.ccpayment, err = client.New(d.credentials, client.WithBaseURL(d.apiURL()))
	if err != nil {
		return err
	}
	return d.sandbox.until(ctx, 30*time.Second, d.answers("http://"+d.sandboxAddr+"/sandbox/deliveries"))
}

// apiURL is where the sandbox has CCPayment's API.
func (d *demo) apiURL() string { return "http://" + d.sandboxAddr + "/ccpayment/v2" }

// payment is what a buyer pays of an order. Without an amount it is what is still
// due.
type payment struct {
	OrderID string `json:"order_id"`
	Amount  string `json:"amount,omitempty"`
	Risky   bool   `json:"risky,omitempty"`
}

// pay plays a buyer who pays, lets the time pass that the chain takes, and
// returns the webhooks of the payment. The shop is given the time to get the first
// before the second supersedes it.
func (d *demo) pay(ctx context.Context, p payment) ([]webhook, error) {
	p.OrderID = d.orderID(p.OrderID)
	var paid struct {
		RecordID string `json:"record_id"`
	}
	if err := d.control(ctx, http.MethodPost, "pay", p, &paid); err != nil {
		return nil, err
	}
	if err := d.dealtWith(ctx, paid.RecordID); err != nil {
		return nil, err
	}
	if err := d.advance(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	return d.deliveries(ctx, paid.RecordID)
}

// advance moves the sandbox's clock, and returns when all that falls due on
// the way was done.
func (d *demo) advance(ctx context.Context, by time.Duration) error {
	var answer struct{}
	return d.control(ctx, http.MethodPost, "advance", map[string]int{"seconds": int(by.Seconds())}, &answer)
}

// deliveries returns the tries to deliver the webhooks of a record, newest
// first.
func (d *demo) deliveries(ctx context.Context, recordID string) ([]webhook, error) {
	var log struct {
		Deliveries []webhook `json:"deliveries"`
	}
	err := d.control(ctx, http.MethodGet, "deliveries?record_id="+recordID, nil, &log)
	return log.Deliveries, err
}

// control steers the sandbox.
func (d *demo) control(ctx context.Context, method, what string, parameters, answer any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+d.sandboxAddr+"/sandbox/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return d.ask(request, answer)
}

// answersTo returns the response that CCPayment got to each webhook.
func answersTo(webhooks []webhook) []answer {
	answers := make([]answer, len(webhooks))
	for i, w := range webhooks {
		answers[i] = answer{status: w.HTTPStatus, body: w.Answer}
	}
	return answers
}

// news waits until webhooks of a record were sent beyond those known, and
// returns them.
func (d *demo) news(ctx context.Context, known []webhook) ([]webhook, error) {
	var newest []webhook
	err := d.sandbox.until(ctx, 20*time.Second, func(ctx context.Context) bool {
		log, err := d.deliveries(ctx, known[0].RecordID)
		if err != nil || len(log) <= len(known) {
			return false
		}
		newest = log[:len(log)-len(known)]
		return true
	})
	return newest, err
}
