package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

const (
	doctorTimeout = 30 * time.Second
	// healthySkew is far within the two minutes that CCPayment allows, and more
	// than a slow answer makes of a clock that is right.
	healthySkew = 30 * time.Second
)

func doctorCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [--webhook <url>]",
		Short: "Looks whether all is well, and says what to do where it is not",
		Long: `
Looks at the credentials, by a call of the gateway's API that changes nothing; at
this machine's clock; at the ledger of the Caddy that runs; and at the answer to
CCPayment's activation ping of the URL that --webhook names, or webhook_url in the
configuration that --config names. It prints a line for each: ok, or what to do.

Of an account at CoinPayments, it also compares the webhooks that are registered there
with webhook_url, and pings with a signed webhook that has no event in it.

Run it where Caddy runs: the gateway's list of IP addresses is about that machine.
It exits 0 only if all is well, else 3.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("webhook", "", "URL of the webhook, as CCPayment calls it (default: webhook_url of --config)")
	cmd.Flags().String("address", "", "Address of Caddy's admin endpoint (default: that of --config, or Caddy's own default)")
	cmd.RunE = runWith(c.doctor)
	return cmd
}

func (c Config) doctor(fl caddycmd.Flags) error {
	if err := noArguments(fl); err != nil {
		return err
	}
	webhook := fl.String("webhook")
	if webhook != "" {
		if err := checkWebURL(webhook); err != nil {
			return subcommand.Fail(exitUsage, "--webhook %w", err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()

	checker, account, err := open[gateway.Checker](c, fl, "says nothing about accounts")
	var findings []finding
	var lacks *lacksError
	if errors.As(err, &lacks) {
		findings = append(findings, finding{Part: "Account", Unknown: true, Text: err.Error()})
	} else if err != nil {
		findings = append(findings, finding{Part: "Account", Text: err.Error()})
	} else {
		findings = append(checker.Check(ctx), checkClock(ctx, account.Info.Title, checker.APIURL()))
		webhook = cmp.Or(webhook, account.WebhookURL)
	}
	findings = append(findings, checkLedger(fl)...)
	if checker != nil && webhook != "" {
		findings = append(findings, checkWebhook(ctx, checker, account.Info.Title, webhook))
	}
	wrong := printFindings(findings)
	switch {
	case lacks != nil:
		fmt.Printf("%-10s %-6s cannot be looked at, as the account\n", "Webhook", "-")
	case webhook == "":
		fmt.Printf("%-10s %-6s give --webhook <url> to look at its answer, or --config with a file that has webhook_url\n", "Webhook", "-")
	}
	if wrong > 0 {
		return subcommand.Fail(exitRefused, "%d of %d need care", wrong, len(findings))
	}
	return nil
}

// checkClock compares this machine's time with that of the API's answers.
func checkClock(ctx context.Context, title, base string) finding {
	const part = "Clock"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		return finding{Part: part, Text: err.Error()}
	}
	request.Header.Set("Cache-Control", "no-cache")
	start := time.Now()
	response, err := client.NewHTTPClient().Do(request)
	if err != nil {
		return finding{Part: part, Text: "cannot be compared: " + title + " cannot be reached"}
	}
	defer response.Body.Close()
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return finding{Part: part, Text: "cannot be compared: the answer has no time"}
	}
	// A date has whole seconds, so half a second is missing from it on average.
	middle := start.Add(time.Since(start) / 2)
	skew := middle.Sub(at.Add(time.Second / 2)).Round(time.Second)
	switch {
	case skew.Abs() <= healthySkew:
		return finding{Part: part, OK: true, Text: fmt.Sprintf("within %s of %s", healthySkew, possessive(title))}
	case skew > 0:
		return finding{Part: part, Text: fmt.Sprintf("is %s ahead of %s: let NTP set it, for calls and webhooks carry the time", skew, possessive(title))}
	default:
		return finding{Part: part, Text: fmt.Sprintf("is %s behind %s: let NTP set it, for calls and webhooks carry the time", -skew, possessive(title))}
	}
}

// possessive is a name as in "CCPayment's clock".
func possessive(name string) string {
	if strings.HasSuffix(name, "s") {
		return name + "'"
	}
	return name + "'s"
}

// checkLedger looks at the status of the Caddy that runs.
func checkLedger(fl caddycmd.Flags) []finding {
	s, err := readStatus(fl)
	if err != nil {
		return []finding{{Part: "Ledger", Text: err.Error()}}
	}
	findings := []finding{checkEvents(s)}
	if s.Store != nil {
		findings = append(findings, finding{Part: "Database", OK: len(s.Store.Care) == 0, Text: strings.Join(append(s.Store.Care, s.Store.Facts...), "; ")})
	}
	if len(s.Members) > 0 {
		findings = append(findings, checkMembers(s.Members))
	}
	return findings
}

// checkMembers looks for Caddys whose options differ.
func checkMembers(members []adminapi.Member) finding {
	text, ok := fmt.Sprintf("%d on this ledger", len(members)), true
	for _, m := range members {
		if len(m.Differs) > 0 {
			text += fmt.Sprintf("; %s has not the same %s", m.Name, strings.Join(m.Differs, ", "))
			ok = false
		}
	}
	if !ok {
		text += ": " + sameOptions
	}
	return finding{Part: "Caddys", OK: ok, Text: text}
}

func readStatus(fl caddycmd.Flags) (s adminapi.Status, err error) {
	admin, err := findAdmin(fl)
	if err != nil {
		return s, err
	}
	answer, err := admin.Status()
	if err != nil {
		return s, err
	}
	return answer.Read()
}

// checkEvents looks for what waits for somebody.
func checkEvents(s adminapi.Status) finding {
	const part = "Ledger"
	var pending, held, dead, lost uint64
	for _, r := range s.Routes {
		pending, held, dead = pending+r.Pending, held+r.Held, dead+r.Dead
		if r.Mode == adminapi.Unconfigured {
			lost += r.Pending
		}
	}
	var todo []string
	for _, secret := range s.Secrets {
		if secret.Error != "" {
			todo = append(todo, "mend the file of "+secret.Name+", of which the value before is still in use: "+secret.Error)
		}
	}
	if held > 0 {
		todo = append(todo, "release or discard what `caddy ccpayment events list --state held` shows")
	}
	if dead > 0 {
		todo = append(todo, "replay or discard what `caddy ccpayment events list --state dead` shows")
	}
	if lost > 0 {
		todo = append(todo, fmt.Sprintf("%d wait for a route that is not configured: see `caddy ccpayment status`", lost))
	}
	text := fmt.Sprintf("open, %d pending, %d held, %d dead", pending, held, dead)
	if len(todo) > 0 {
		return finding{Part: part, Text: text + ": " + strings.Join(todo, "; ")}
	}
	return finding{Part: part, OK: true, Text: text}
}

// tryFiles is the usual reason why a site does not know the path that it has.
const tryFiles = " (a try_files in the site takes it, unless each stands in a `handle` of its own)"

// checkWebhook pings the webhook's URL.
func checkWebhook(ctx context.Context, checker gateway.Checker, title, url string) finding {
	f := finding{Part: "Webhook"}
	probe := checker.Probe()
	sender := newTriggerSender(checker, url, func() []byte { return probe.Body }, 1)
	switch answer := sender.send(ctx); {
	case answer.Error != "":
		f.Text = answer.Error + ": is the URL right, and does it reach this Caddy?"
	case probe.IsWanted(answer.Status, []byte(answer.Body)):
		f.OK, f.Text = true, "answers as "+title+" expects"
	case answer.Status == http.StatusUnauthorized:
		f.Text = "answers 401: the Caddy that runs has another id, secret or webhook_url, or its clock is wrong"
	case answer.Status == http.StatusForbidden:
		f.Text = "answers 403: allow_ips does not let this machine in, or something in front of Caddy refuses"
	case answer.Status != http.StatusOK:
		f.Text = fmt.Sprintf("answers %d %.80s: is it the path of ccpayment_webhook?"+tryFiles, answer.Status, strings.TrimSpace(answer.Body))
	default:
		f.Text = fmt.Sprintf("answers %.80q instead of %s: it is not the path of ccpayment_webhook"+tryFiles, answer.Body, probe.Want)
	}
	return f
}
