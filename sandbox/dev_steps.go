package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// stepLoggers are Caddy's loggers whose lines report what becomes of orders.
const stepLoggers = "events http.log.error http.handlers.ccpayment_checkout http.handlers.ccpayment_webhook"

// steps prints what becomes of orders, a line for each step: the time, the
// order, and what happened.
type steps struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *steps) print(at time.Time, order, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%s  %-24s  %s\n", at.Format("15:04:05"), oneLine(cmp.Or(order, "-")), oneLine(what))
}

// logLine is what is read of a line of Caddy's log: of an event of Caddy's, its
// name and data; of a handler's own, the message.
type logLine struct {
	Level  string `json:"level"`
	Logger string `json:"logger"`
	Msg    string `json:"msg"`
	Name   string `json:"name"`
	Data   struct {
		OrderID string `json:"order_id"`
		Type    string `json:"type"`
		Status  string `json:"status"`
		Cause   string `json:"cause"`
		Reason  string `json:"reason"`
		State   string `json:"order_state"`
	} `json:"data"`
	Path    string `json:"path"`
	Reason  string `json:"reason"`
	Cause   string `json:"cause"`
	OrderID string `json:"order_id"`
	Error   string `json:"error"`
	Trace   string `json:"err_trace"` // of a request that failed: where
}

// follow reads Caddy's log to its end.
func (s *steps) follow(log io.Reader) {
	lines := bufio.NewReader(log)
	for {
		text, err := lines.ReadBytes('\n')
		var line logLine
		if json.Unmarshal(text, &line) == nil {
			if what := line.describe(); what != "" {
				s.print(time.Now(), cmp.Or(line.Data.OrderID, line.OrderID), what)
			}
		}
		if err != nil {
			return
		}
	}
}

// describe returns the line's step in words; empty: the line is no step.
func (l logLine) describe() string {
	kind := l.Data.Type + " " + l.Data.Status
	switch {
	case l.Name == "ccpayment_delivered" && l.Data.Reason != "":
		return kind + " handed over, the order is " + cmp.Or(l.Data.State, "as before") + ", and not fulfilled by it (" + l.Data.Reason + "): your app said yes"
	case l.Name == "ccpayment_delivered" && l.Data.State != "":
		return kind + " handed over, the order is " + l.Data.State + ": your app said yes"
	case l.Name == "ccpayment_delivered":
		return kind + " handed over: your app said yes"
	case l.Name == "ccpayment_order_paid":
		return "paid: your app was told to fulfil it"
	case l.Name == "ccpayment_held":
		return kind + " held, " + l.Data.Cause
	case l.Name == "ccpayment_dead":
		return kind + " given up, " + l.Data.Cause
	case l.Logger == "events":
		return "" // one of Caddy's own, or one that has a line of its own besides
	case l.Logger == "http.log.error":
		if !strings.HasPrefix(l.Trace, "reverseproxy.") {
			return "" // the handler has said so itself
		}
		if l.Msg == "EOF" {
			return "your app closed the connection without an answer"
		}
		return "your app cannot be reached: " + l.Msg
	case l.Msg == "a response asks for no checkout, and was passed on":
		return "your app's 402 to " + l.Path + " asks for no checkout, and was passed on: " + l.Cause
	case l.Msg == "made an order":
		return "made: the buyer is sent to the checkout"
	case l.Msg == "holding an event":
		return "" // told as an event
	case l.Level == "warn" || l.Level == "error":
		why := cmp.Or(l.Error, l.Cause, l.Reason)
		if why == "" {
			return l.Msg
		}
		return l.Msg + ": " + why
	default:
		return ""
	}
}

// ofSandbox makes the logger of a sandbox whose webhooks are steps.
func (s *steps) ofSandbox() *slog.Logger { return slog.New(webhookSteps{s}) }

type webhookSteps struct{ *steps }

func (webhookSteps) Enabled(context.Context, slog.Level) bool { return true }

// Handle prints deliveries of webhooks, and what was wrong with calls. That
// something is not found (11003) is no mistake: Caddy asks CCPayment for invoices and
// deposit orders in turn.
func (w webhookSteps) Handle(_ context.Context, r slog.Record) error {
	value := make(map[string]string)
	r.Attrs(func(a slog.Attr) bool {
		value[a.Key] = a.Value.String()
		return true
	})
	switch {
	case r.Message == "webhook" && value["acknowledged"] == "true":
		w.print(r.Time, value["order"], fmt.Sprintf("%s sends %s %s, Caddy keeps it", names[value["gateway"]], value["type"], value["status"]))
	case r.Message == "webhook":
		w.print(r.Time, value["order"], fmt.Sprintf("%s sends %s %s, in vain: %s", names[value["gateway"]], value["type"], value["status"],
			cmp.Or(value["error"], "HTTP "+value["http"])))
	case r.Message == "call" && value["code"] != "" && value["code"] != "10000" && value["code"] != "11003":
		w.print(r.Time, "", fmt.Sprintf("CCPayment answers %s with %s %s", value["endpoint"], value["code"], value["msg"]))
	case r.Message == "call" && value["http"] >= "400":
		w.print(r.Time, "", fmt.Sprintf("CoinPayments answers %s with %s %s", value["endpoint"], value["http"], value["msg"]))
	}
	return nil
}

// The sandbox logs without groups or kept attributes.
func (w webhookSteps) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w webhookSteps) WithGroup(string) slog.Handler      { return w }

// tail keeps the end of what a process writes.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
