package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
)

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
Sends a test webhook, signed as the gateway signs, and prints what the receiver
answered. The types of CCPayment are ApiDeposit, DirectDeposit, ApiWithdrawal,
UserDeposit, UserWithdrawal and ActivateWebhookURL; those of CoinPayments
InvoicePaid and its like, UtxoExternalReceive, ExternalSpend and their like.

The event is of a payment that nobody made. A route that confirms, which is the
default, asks the gateway's API about it, and it never reaches the app: use the
sandbox instead, or set confirm off on the route while you try. With confirm off
it is a real event to the app: name an order that does not exist, or try it
before you go live.

With --repeat the same event is sent several times, each with a signature of its
own, and with --concurrency several at once: the app must see it once. Give
--record-id to send an event again later, or another status of its record.

CoinPayments signs a webhook for the URL that it was registered with: webhook_url,
wherever --to sends it, unless you name another with --url.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("to", "", "URL of the webhook")
	cmd.Flags().String("order-id", "", "Order id, as it is at the gateway (default: a new one)")
	cmd.Flags().String("reference-id", "reference-1", "Reference id of a DirectDeposit; at CoinPayments the address, or the spend request")
	cmd.Flags().String("user-id", "user-1", "User id of a UserDeposit or UserWithdrawal")
	cmd.Flags().String("record-id", "", "Record id (default: a new one)")
	cmd.Flags().String("status", "", "Status (default: Success, or the invoice's by the type)")
	cmd.Flags().String("url", "", "The URL that is signed, at CoinPayments (default: webhook_url)")
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
	to := fl.String("to")
	if err := checkWebURL(to); err != nil {
		return exitUsage, fmt.Errorf("--to %w", err)
	}
	repeat, concurrency := fl.Int("repeat"), fl.Int("concurrency")
	if repeat < 1 || repeat > largestRepeat || concurrency < 1 || concurrency > largestConcurrency {
		return exitUsage, fmt.Errorf("--repeat is from 1 to %d and --concurrency from 1 to %d", largestRepeat, largestConcurrency)
	}
	sampler, account, err := open[gateway.Sampler](c, fl, "signs webhooks that cannot be made here")
	if err != nil {
		return exitUsage, err
	}
	if err := checkURL(fl, account, "url"); err != nil {
		return exitUsage, err
	}
	write, err := makeSample(fl, sampler)
	if err != nil {
		return exitUsage, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sender := newTriggerSender(sampler, to, write, concurrency)
	sender.url, sender.acknowledges = fl.String("url"), sampler.Acknowledges
	answers := sender.sendAll(ctx, repeat, concurrency)
	if fl.Bool("json") {
		encoder := json.NewEncoder(os.Stdout)
		for _, a := range answers {
			if err := encoder.Encode(a); err != nil {
				return exitUsage, err
			}
		}
	} else {
		body := answers[0].sent
		fmt.Printf("sent   %s\n", body)
		printAnswers(answers)
		acknowledged := slices.ContainsFunc(answers, func(a triggerAnswer) bool { return a.acknowledged })
		if n, err := account.Gateway.Read(body); acknowledged && fl.String("record-id") == "" && err == nil && !n.Ping {
			fmt.Println("note   acknowledged is not handed over: " + invented(account.Info.Title))
		}
	}
	return triggerResult(account.Info.Title, answers)
}

// makeSample makes the webhook that the flags describe.
func makeSample(fl caddycmd.Flags, sampler gateway.Sampler) (func() []byte, error) {
	types := sampler.SampleTypes()
	if !slices.Contains(types, fl.Arg(0)) {
		return nil, fmt.Errorf("unknown type %q: there are %s", fl.Arg(0), strings.Join(types, ", "))
	}
	order := fl.String("order-id")
	if order == "" { // that of no order of the shop's
		order = "order-" + strings.ToLower(rand.Text()[:12])
	}
	return sampler.Sample(gateway.Sample{
		Type: fl.Arg(0), RecordID: fl.String("record-id"), Status: fl.String("status"), OrderID: order,
		ReferenceID: fl.String("reference-id"), UserID: fl.String("user-id"), Risky: fl.Bool("risky"),
	}, time.Now())
}

func checkWebURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("takes the webhook's URL, such as https://shop.example/hook")
	}
	return nil
}

// triggerAnswer is the receiver's response to one webhook.
type triggerAnswer struct {
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`
	Millis int64  `json:"milliseconds"`

	// acknowledged: the response acknowledges the webhook to the gateway.
	acknowledged bool
	sent         []byte // the webhook's body
}

// shownAnswer is how many bytes of a response's body are printed.
const shownAnswer = 4 << 10

type triggerSender struct {
	client *http.Client
	signer gateway.RequestSigner
	to     string
	write  func() []byte // a copy's body

	url          string                             // that is signed; empty: the account's
	acknowledges func(status int, body []byte) bool // nil: nobody asks
}

func newTriggerSender(signer gateway.RequestSigner, to string, write func() []byte, concurrency int) *triggerSender {
	return &triggerSender{signer: signer, to: to, write: write, client: &http.Client{
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
	start, sent := time.Now(), s.write()
	failed := func(err error) triggerAnswer {
		return triggerAnswer{Error: err.Error(), Millis: time.Since(start).Milliseconds(), sent: sent}
	}
	headers, err := s.signer.SignRequest(gateway.SignRequest{URL: s.url, Now: start, Body: sent})
	if err != nil {
		return failed(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to, bytes.NewReader(sent))
	if err != nil {
		return failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "caddy-ccpayment-trigger")
	for _, h := range headers {
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
		acknowledged: s.acknowledges != nil && s.acknowledges(response.StatusCode, body), sent: sent,
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
		text := fmt.Sprintf("%d %s", a.Status, printable(strings.TrimSpace(a.Body)))
		if a.Error != "" {
			text = printable(a.Error)
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
func invented(title string) string {
	return "a route that confirms asks " + title + " about the record, which knows no such one: to have it handed over, pay in the sandbox, " +
		"name a record that " + title + " knows with --record-id, or set confirm off while you try"
}

// triggerResult is the exit code: the worst of the answers.
func triggerResult(title string, answers []triggerAnswer) (int, error) {
	refused, unreachable, hint := 0, 0, ""
	for _, a := range answers {
		if a.Status == http.StatusServiceUnavailable {
			hint = ": " + invented(title)
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
		return exitRefused, fmt.Errorf("%d of %d were not acknowledged: %s would send them again%s", refused, len(answers), title, hint)
	default:
		return exitDone, nil
	}
}
