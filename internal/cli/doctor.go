package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
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
Looks at the credentials, by a call of CCPayment's API that changes nothing; at
this machine's clock; at the ledger of the Caddy that runs; and at the answer to
CCPayment's activation ping of the URL that --webhook names, or webhook_url in the
configuration that --config names. It prints a line for each: ok, or what to do.

Run it where Caddy runs: CCPayment's list of IP addresses is about that machine.
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

	opened, err := c.Account(fl)
	var account *ccpayment.V2
	if err == nil {
		account, err = atCCPayment(opened)
	}
	if err == nil && webhook == "" {
		webhook = opened.WebhookURL
	}
	var findings []finding
	if err != nil {
		findings = append(findings, finding{"Account", false, err.Error()})
	} else {
		findings = append(findings, checkCredentials(ctx, account), checkClock(ctx, account.Client().BaseURL()))
	}
	findings = append(findings, checkLedger(fl)...)
	if account != nil && webhook != "" {
		findings = append(findings, checkWebhook(ctx, account, webhook))
	}
	wrong := printFindings(findings)
	if webhook == "" {
		fmt.Printf("%-10s %-6s give --webhook <url> to look at its answer, or --config with a file that has webhook_url\n", "Webhook", "-")
	}
	if wrong > 0 {
		return subcommand.Fail(exitRefused, "%d of %d need care", wrong, len(findings))
	}
	return nil
}

// checkCredentials makes a call that every account may make.
func checkCredentials(ctx context.Context, account *ccpayment.V2) finding {
	const part, endpoint = "Account", "getFiatList"
	_, err := account.Client().Call(ctx, endpoint, nil)
	if err == nil {
		return finding{part, true, fmt.Sprintf("%s may call %s", account.Info().AccountID, account.Client().BaseURL())}
	}
	text := explainCall(endpoint, err).Error()
	var refusal *client.Error
	if errors.Is(err, client.ErrIPNotInWhitelist) && errors.As(err, &refusal) {
		if ip := findIP(refusal.Msg); ip != "" {
			text += ": it is " + ip
		}
	}
	return finding{part, false, text}
}

// findIP returns the first IP address in a text.
func findIP(text string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }) {
		if ip, err := netip.ParseAddr(strings.Trim(word, ".")); err == nil {
			return ip.String()
		}
	}
	return ""
}

// checkClock compares this machine's time with that of the API's answers.
func checkClock(ctx context.Context, base string) finding {
	const part = "Clock"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		return finding{part, false, err.Error()}
	}
	request.Header.Set("Cache-Control", "no-cache")
	start := time.Now()
	response, err := client.NewHTTPClient().Do(request)
	if err != nil {
		return finding{part, false, "cannot be compared: CCPayment cannot be reached"}
	}
	defer response.Body.Close()
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return finding{part, false, "cannot be compared: the answer has no time"}
	}
	// A date has whole seconds, so half a second is missing from it on average.
	middle := start.Add(time.Since(start) / 2)
	skew := middle.Sub(at.Add(time.Second / 2)).Round(time.Second)
	switch {
	case skew.Abs() <= healthySkew:
		return finding{part, true, fmt.Sprintf("within %s of CCPayment's", healthySkew)}
	case skew > 0:
		return finding{part, false, fmt.Sprintf("is %s ahead of CCPayment's: let NTP set it, for calls and webhooks carry the time", skew)}
	default:
		return finding{part, false, fmt.Sprintf("is %s behind CCPayment's: let NTP set it, for calls and webhooks carry the time", -skew)}
	}
}

// checkLedger looks at the status of the Caddy that runs.
func checkLedger(fl caddycmd.Flags) []finding {
	s, err := readStatus(fl)
	if err != nil {
		return []finding{{"Ledger", false, err.Error()}}
	}
	findings := []finding{checkEvents(s)}
	if s.Store != nil {
		findings = append(findings, finding{"Database", len(s.Store.Care) == 0, strings.Join(append(s.Store.Care, s.Store.Facts...), "; ")})
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
	return finding{"Caddys", ok, text}
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
		return finding{part, false, text + ": " + strings.Join(todo, "; ")}
	}
	return finding{part, true, text}
}

// tryFiles is the usual reason why a site does not know the path that it has.
const tryFiles = " (a try_files in the site takes it, unless each stands in a `handle` of its own)"

// checkWebhook pings the webhook's URL as CCPayment's console does.
func checkWebhook(ctx context.Context, account *ccpayment.V2, url string) finding {
	const part = "Webhook"
	sender := newTriggerSender(account, url, []byte(`{"type":"`+ccpayment.ActivationType+`","msg":{}}`), 1)
	answer := sender.send(ctx)
	var said struct {
		Msg string `json:"msg"`
	}
	switch err := json.Unmarshal([]byte(answer.Body), &said); {
	case answer.Error != "":
		return finding{part, false, answer.Error + ": is the URL right, and does it reach this Caddy?"}
	case answer.Status == http.StatusUnauthorized:
		return finding{part, false, "answers 401: the Caddy that runs has another app id or secret, or its clock is wrong"}
	case answer.Status == http.StatusForbidden:
		return finding{part, false, "answers 403: allow_ips does not let this machine in, or something in front of Caddy refuses"}
	case answer.Status != http.StatusOK:
		return finding{part, false, fmt.Sprintf("answers %d %.80s: is it the path of ccpayment_webhook?"+tryFiles, answer.Status, strings.TrimSpace(answer.Body))}
	case err != nil || said.Msg != "Success":
		return finding{part, false, fmt.Sprintf(`answers %.80q instead of {"msg":"Success"}: it is not the path of ccpayment_webhook`+tryFiles, answer.Body)}
	default:
		return finding{part, true, "answers as CCPayment expects"}
	}
}
