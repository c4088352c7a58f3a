package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
)

// triggerTypes are the events that can be sent, with the fields of msg that
// each has beside record, coin and status (API reference, Webhook Payload
// Examples).
var triggerTypes = map[string][]string{
	"ApiDeposit":             {"orderId", "isFlaggedAsRisky"},
	"DirectDeposit":          {"referenceId", "isFlaggedAsRisky"},
	"ApiWithdrawal":          {"orderId"},
	"UserDeposit":            {"userId", "isFlaggedAsRisky"},
	"UserWithdrawal":         {"userId", "orderId"},
	ccpayment.ActivationType: nil,
}

// The bounds of a load, which a mistyped number must not leave.
const (
	largestRepeat      = 100_000
	largestConcurrency = 1_000
	triggerTimeout     = time.Minute
)

func triggerCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trigger <type> --to <url>",
		Short: "Sends a signed test webhook",
		Long: `
Sends a test webhook, signed as CCPayment signs, and prints what the receiver
answered. The types are ApiDeposit, DirectDeposit, ApiWithdrawal, UserDeposit,
UserWithdrawal and ActivateWebhookURL.

The event is of a payment that nobody made. A route that confirms, which is the
default, asks CCPayment's API about it, and it never reaches the app: use the
sandbox instead, or set confirm off on the route while you try. With confirm off
it is a real event to the app: name an order that does not exist, or try it
before you go live.

With --repeat the same event is sent several times, each with a signature of its
own, and with --concurrency several at once: the app must see it once. Give
--record-id to send an event again later, or another status of its record.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("to", "", "URL of the webhook")
	cmd.Flags().String("order-id", "order-1", "Order id, as it is at CCPayment")
	cmd.Flags().String("reference-id", "reference-1", "Reference id of a DirectDeposit")
	cmd.Flags().String("user-id", "user-1", "User id of a UserDeposit or UserWithdrawal")
	cmd.Flags().String("record-id", "", "Record id (default: a new one)")
	cmd.Flags().String("status", "Success", "Status")
	cmd.Flags().Bool("risky", false, "Flag the payment as risky")
	cmd.Flags().Int("repeat", 1, "How many times to send it")
	cmd.Flags().Int("concurrency", 1, "How many at once")
	cmd.Flags().Bool("json", false, "Print the answers as JSON, one a line")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.trigger)
	return cmd
}

func (c Config) trigger(fl caddycmd.Flags) (int, error) {
	if fl.NArg() != 1 {
		return exitUsage, errors.New("name one type of event, such as ApiDeposit")
	}
	body, err := triggerBody(fl)
	if err != nil {
		return exitUsage, err
	}
	to := fl.String("to")
	if err := checkWebURL(to); err != nil {
		return exitUsage, fmt.Errorf("--to %w", err)
	}
	repeat, concurrency := fl.Int("repeat"), fl.Int("concurrency")
	if repeat < 1 || repeat > largestRepeat || concurrency < 1 || concurrency > largestConcurrency {
		return exitUsage, fmt.Errorf("--repeat is from 1 to %d and --concurrency from 1 to %d", largestRepeat, largestConcurrency)
	}
	account, err := c.ccpayment(fl)
	if err != nil {
		return exitUsage, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sender := newTriggerSender(account, to, body, concurrency)
	answers := sender.sendAll(ctx, repeat, concurrency)
	if fl.Bool("json") {
		encoder := json.NewEncoder(os.Stdout)
		for _, a := range answers {
			if err := encoder.Encode(a); err != nil {
				return exitUsage, err
			}
		}
	} else {
		fmt.Printf("sent   %s\n", body)
		printAnswers(answers)
		acknowledged := slices.ContainsFunc(answers, func(a triggerAnswer) bool { return a.acknowledged })
		if acknowledged && fl.String("record-id") == "" && fl.Arg(0) != ccpayment.ActivationType {
			fmt.Println("note   acknowledged is not handed over: " + invented)
		}
	}
	return triggerResult(answers)
}

func checkWebURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("takes the webhook's URL, such as https://shop.example/hook")
	}
	return nil
}

// triggerBody makes the webhook's body.
func triggerBody(fl caddycmd.Flags) ([]byte, error) {
	typ := fl.Arg(0)
	fields, ok := triggerTypes[typ]
	if !ok {
		types := slices.Sorted(maps.Keys(triggerTypes))
		return nil, fmt.Errorf("unknown type %q: there are %s", typ, strings.Join(types, ", "))
	}
	type object struct {
		RecordID    string `json:"recordId,omitempty"`
		OrderID     string `json:"orderId,omitempty"`
		ReferenceID string `json:"referenceId,omitempty"`
		UserID      string `json:"userId,omitempty"`
		CoinID      int    `json:"coinId,omitempty"`
		CoinSymbol  string `json:"coinSymbol,omitempty"`
		Status      string `json:"status,omitempty"`
		Risky       *bool  `json:"isFlaggedAsRisky,omitempty"`
	}
	var msg object
	if typ != ccpayment.ActivationType {
		msg = object{RecordID: fl.String("record-id"), CoinID: 1280, CoinSymbol: "USDT", Status: fl.String("status")}
		if msg.RecordID == "" {
			msg.RecordID = newRecordID(time.Now())
		}
	}
	has := func(field string) bool { return slices.Contains(fields, field) }
	if has("orderId") {
		msg.OrderID = fl.String("order-id")
	}
	if has("referenceId") {
		msg.ReferenceID = fl.String("reference-id")
	}
	if has("userId") {
		msg.UserID = fl.String("user-id")
	}
	risky := fl.Bool("risky")
	if has("isFlaggedAsRisky") {
		msg.Risky = &risky
	} else if risky {
		return nil, fmt.Errorf("%s has no risk flag", typ)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // some receivers verify over JSON that they write again
	err := encoder.Encode(struct {
		Type string `json:"type"`
		Msg  object `json:"msg"`
	}{typ, msg})
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}

// newRecordID returns an id of the shape of CCPayment's: 32 digits that begin
// with the time.
func newRecordID(now time.Time) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic("no randomness: " + err.Error())
	}
	return now.UTC().Format("20060102150405") + fmt.Sprintf("%018s", n)
}

// triggerAnswer is the receiver's response to one webhook.
type triggerAnswer struct {
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`
	Millis int64  `json:"milliseconds"`

	// acknowledged: the response acknowledges the webhook to CCPayment.
	acknowledged bool
}

// shownAnswer is how many bytes of a response's body are printed.
const shownAnswer = 4 << 10

type triggerSender struct {
	client  *http.Client
	account *ccpayment.V2
	to      string
	body    []byte
}

func newTriggerSender(account *ccpayment.V2, to string, body []byte, concurrency int) *triggerSender {
	return &triggerSender{account: account, to: to, body: body, client: &http.Client{
		Timeout:   triggerTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: concurrency},
		// A redirect is no acknowledgement.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// sendAll sends the webhook several times, with so many workers.
func (s *triggerSender) sendAll(ctx context.Context, repeat, concurrency int) []triggerAnswer {
	answers := make([]triggerAnswer, repeat)
	jobs := make(chan int)
	var workers sync.WaitGroup
	for range min(concurrency, repeat) {
		workers.Go(func() {
			for i := range jobs {
				answers[i] = s.send(ctx)
			}
		})
	}
	for i := range repeat {
		jobs <- i
	}
	close(jobs)
	workers.Wait()
	return answers
}

func (s *triggerSender) send(ctx context.Context) triggerAnswer {
	start := time.Now()
	failed := func(err error) triggerAnswer {
		return triggerAnswer{Error: err.Error(), Millis: time.Since(start).Milliseconds()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to, bytes.NewReader(s.body))
	if err != nil {
		return failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "caddy-ccpayment-trigger")
	for _, h := range s.account.Sign(start, s.body) {
		request.Header.Set(h[0], h[1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, ack.Limit))
	if err != nil {
		return failed(err)
	}
	return triggerAnswer{
		Status: response.StatusCode, Body: string(body[:min(len(body), shownAnswer)]), Millis: time.Since(start).Milliseconds(),
		acknowledged: response.StatusCode == http.StatusOK && ack.Judge(body, "Success") == nil,
	}
}

// printAnswers prints equal answers as one line.
func printAnswers(answers []triggerAnswer) {
	type line struct {
		count int
		worst int64
	}
	lines := make(map[string]*line)
	var order []string
	for _, a := range answers {
		text := fmt.Sprintf("%d %s", a.Status, strings.TrimSpace(a.Body))
		if a.Error != "" {
			text = a.Error
		}
		if lines[text] == nil {
			lines[text] = &line{}
			order = append(order, text)
		}
		lines[text].count++
		lines[text].worst = max(lines[text].worst, a.Millis)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, text := range order {
		fmt.Fprintf(table, "got\t%d ×\t%s\tslowest %d ms\n", lines[text].count, text, lines[text].worst)
	}
	_ = table.Flush()
}

// invented is why an event that was made up does not reach the app, and what to do.
const invented = "a route that confirms asks CCPayment about the record, which knows no such one: to have it handed over, pay in the sandbox, " +
	"name a record that CCPayment knows with --record-id, or set confirm off while you try"

// triggerResult is the exit code: the worst of the answers.
func triggerResult(answers []triggerAnswer) (int, error) {
	refused, unreachable, hint := 0, 0, ""
	for _, a := range answers {
		if a.Status == http.StatusServiceUnavailable {
			hint = ": " + invented
		}
		switch {
		case a.Error != "":
			unreachable++
		case !a.acknowledged:
			refused++
		}
	}
	switch {
	case unreachable > 0:
		return exitUnreachable, fmt.Errorf("%d of %d were not answered", unreachable, len(answers))
	case refused > 0:
		return exitRefused, fmt.Errorf("%d of %d were not acknowledged: CCPayment would send them again%s", refused, len(answers), hint)
	default:
		return exitDone, nil
	}
}
