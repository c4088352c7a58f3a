package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

func signCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign [--timestamp <text>] [--url <url>] [--method <method>]",
		Short: "Prints the headers that sign the body on standard input",
		Long: `
Prints the headers that sign the body on standard input, as the gateway makes them: of
CCPayment Appid, Timestamp and Sign. They can be sent as they are:

    caddy ccpayment sign < body.json > headers
    curl -H @headers --data-binary @body.json https://shop.example/hook

CoinPayments signs the URL and the method too: those of a webhook to webhook_url,
unless you name others.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("timestamp", "", "The time as the gateway writes it: Unix seconds, or 2006-01-02T15:04:05 in UTC at CoinPayments (default: now)")
	cmd.Flags().String("url", "", "The URL that is signed, at CoinPayments (default: webhook_url)")
	cmd.Flags().String("method", "", "The method that is signed, at CoinPayments (default: POST)")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.sign)
	return cmd
}

func (c Config) sign(fl caddycmd.Flags) (int, error) {
	signer, account, body, err := input[gateway.RequestSigner](c, fl)
	if err != nil {
		return exitUsage, err
	}
	if err := checkURL(fl, account, "url", "method"); err != nil {
		return exitUsage, err
	}
	headers, err := signer.SignRequest(gateway.SignRequest{
		Method: fl.String("method"), URL: fl.String("url"), Timestamp: fl.String("timestamp"), Now: time.Now(), Body: body,
	})
	if err != nil {
		return exitUsage, err
	}
	for _, h := range headers {
		fmt.Printf("%s: %s\n", h[0], h[1])
	}
	return exitDone, nil
}

// tolerance is the default of ccpayment_webhook's option.
const tolerance = 5 * time.Minute

func verifyCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --timestamp <text> --sign <text> [--app-id <id>] [--header <header>] [--url <url>] [--tolerance <duration>]",
		Short: "Verifies the body on standard input and says what does not match",
		Long: `
Verifies the body on standard input against the headers of a delivery, and says
of each part whether it matches; where the signature does not, it tries what
usually went wrong. The body must be the bytes as they were received.

CoinPayments signs the URL that the webhook was registered for: webhook_url and those
that it has replaced are tried, unless you name one.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("app-id", "", "The header Appid, or X-CoinPayments-Client (default: ours)")
	cmd.Flags().String("timestamp", "", "The header Timestamp, or X-CoinPayments-Timestamp")
	cmd.Flags().String("sign", "", "The header Sign, or X-CoinPayments-Signature")
	cmd.Flags().StringArray("header", nil, "Another header of the delivery, as in 'Name: value'; repeatable")
	cmd.Flags().String("url", "", "The URL that was registered, at CoinPayments (default: webhook_url)")
	cmd.Flags().Duration("tolerance", tolerance, "How old or early it may be")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.verify)
	return cmd
}

func (c Config) verify(fl caddycmd.Flags) (int, error) {
	explainer, account, body, err := input[gateway.Explainer](c, fl)
	if err != nil {
		return exitUsage, err
	}
	if err := checkURL(fl, account, "url"); err != nil {
		return exitUsage, err
	}
	now := time.Now()
	header, err := deliveredWith(fl, account.Info)
	if err != nil {
		return exitUsage, err
	}
	given := gateway.SignedWebhook{Header: header, URL: fl.String("url"), Body: body}
	origin, err := explainer.Explain(given, now)
	if err != nil {
		return exitRefused, err
	}
	var findings []finding
	if part := account.Info.AccountHeader; part != "" {
		findings = append(findings, verifyAccount(part, account.Info.AccountID, origin))
	}
	findings = append(findings, verifySign(account.Info.SignatureHeader, origin, func() string { return whyNot(explainer, account, given, now) }))
	if part := account.Info.TimestampHeader; part != "" {
		findings = append(findings, verifyTime(part, origin.SignedAt, now, fl.Duration("tolerance")))
	}
	if wrong := printFindings(findings); wrong > 0 {
		return exitRefused, fmt.Errorf("the delivery does not verify: %d of %d parts are wrong", wrong, len(findings))
	}
	return exitDone, nil
}

// deliveredWith are the headers that signed a delivery, as the command line has them.
func deliveredWith(fl caddycmd.Flags, info gateway.Info) (http.Header, error) {
	header := make(http.Header)
	others, err := fl.GetStringArray("header")
	if err != nil {
		return nil, err
	}
	for _, text := range others {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("--header takes a name and a value, as in 'Name: value', and not %q", text)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	var missing []string
	for _, h := range []struct{ flag, name string }{{"app-id", info.AccountHeader}, {"timestamp", info.TimestampHeader}, {"sign", info.SignatureHeader}} {
		value := fl.String(h.flag)
		switch {
		case h.name == "" && value != "":
			return nil, fmt.Errorf("--%s: %s signs with no such header", h.flag, info.Title)
		case value != "":
			header.Set(h.name, value)
		case h.name != "" && h.flag != "app-id" && header.Get(h.name) == "":
			missing = append(missing, "--"+h.flag)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("give %s, as the delivery had them", strings.Join(missing, " and "))
	}
	return header, nil
}

// finding is what is found of one part.
type finding = gateway.Finding

// partWidth is the width of the column of the parts, where none is longer.
const partWidth = 10

// printFindings prints a line for each and returns how many are wrong.
func printFindings(findings []finding) (wrong int) {
	width := partWidth
	for _, f := range findings {
		width = max(width, len(f.Part))
	}
	for _, f := range findings {
		word := "ok"
		switch {
		case f.Unknown:
			word = "-"
		case !f.OK:
			word = "WRONG"
			wrong++
		}
		fmt.Printf("%-*s %-6s %s\n", width, f.Part, word, printable(f.Text))
	}
	return wrong
}

func verifyAccount(part, ours string, o gateway.Origin) finding {
	if !o.IsOurs {
		return finding{Part: part, Text: fmt.Sprintf("%s is not ours: ours is %s", o.AccountID, ours)}
	}
	return finding{Part: part, OK: true, Text: o.AccountID}
}

func verifyTime(part string, signedAt, now time.Time, tolerance time.Duration) finding {
	age := now.Sub(signedAt).Round(time.Second)
	text := fmt.Sprintf("%s, %s ago", signedAt.UTC().Format(time.RFC3339), age)
	if age < 0 {
		text = fmt.Sprintf("%s, %s from now", signedAt.UTC().Format(time.RFC3339), -age)
	}
	if age.Abs() > tolerance {
		return finding{Part: part, Text: fmt.Sprintf("%s, which is outside %s: an old delivery, or a wrong clock", text, tolerance)}
	}
	return finding{Part: part, OK: true, Text: text}
}

// verifySign says which secret made a signature, over which URL; why is asked where none
// did.
func verifySign(part string, o gateway.Origin, why func() string) finding {
	if o.Secret == "" {
		return finding{Part: part, Text: why()}
	}
	text := "made with " + o.Secret
	if o.URL != "" {
		text += ", for " + o.URL
	}
	if o.Ended {
		return finding{Part: part, Text: text + ", which has ended"}
	}
	return finding{Part: part, OK: true, Text: text}
}

// whyNot looks for a usual mistake, by which a signature would match if it were undone.
func whyNot(explainer gateway.Explainer, account *gateway.Account, given gateway.SignedWebhook, now time.Time) string {
	for _, slip := range slips(given, account) {
		if o, err := explainer.Explain(slip.webhook, now); err == nil && o.Secret != "" && !o.Ended {
			return slip.text
		}
	}
	if account.Info.SignsURL {
		return "made with another secret, client id, URL, timestamp or body"
	}
	return "made with another secret, app id, timestamp or body"
}

// slip is a usual mistake, undone.
type slip struct {
	webhook gateway.SignedWebhook
	text    string
}

func slips(given gateway.SignedWebhook, account *gateway.Account) []slip {
	var found []slip
	try := func(text string, change func(*gateway.SignedWebhook)) {
		s := slip{given, text}
		change(&s.webhook)
		found = append(found, s)
	}
	try("it would match in lower case", func(w *gateway.SignedWebhook) {
		w.Header = w.Header.Clone()
		w.Header.Set(account.Info.SignatureHeader, strings.ToLower(w.Header.Get(account.Info.SignatureHeader)))
	})
	try("it would match without the line break at the body's end", func(w *gateway.SignedWebhook) { w.Body = bytes.TrimRight(w.Body, "\r\n") })
	try("it would match with a line break at the body's end", func(w *gateway.SignedWebhook) { w.Body = append(bytes.Clone(w.Body), '\n') })
	var compact bytes.Buffer
	if json.Compact(&compact, given.Body) == nil {
		try("it would match the body as compact JSON: the body was written anew after it was signed",
			func(w *gateway.SignedWebhook) { w.Body = compact.Bytes() })
	}
	if account.Info.SignsURL {
		for _, near := range nearURLs(cmp.Or(given.URL, account.WebhookURL)) {
			try(fmt.Sprintf("it would match for %s: webhook_url must be the URL that is registered, to the letter", near),
				func(w *gateway.SignedWebhook) { w.URL = near })
		}
	}
	return found
}

// nearURLs are a URL's usual other forms: with a slash at its end or without, by the other
// scheme, and without its query.
func nearURLs(url string) []string {
	plain, _, _ := strings.Cut(url, "?")
	var near []string
	for _, u := range []string{plain, strings.TrimRight(plain, "/"), strings.TrimRight(plain, "/") + "/"} {
		near = append(near, u)
		if rest, ok := strings.CutPrefix(u, "https://"); ok {
			near = append(near, "http://"+rest)
		} else if rest, ok := strings.CutPrefix(u, "http://"); ok {
			near = append(near, "https://"+rest)
		}
	}
	return slices.DeleteFunc(near, func(u string) bool { return u == url })
}

// input is what sign and verify work on: the account, and the body on standard input.
func input[T any](c Config, fl caddycmd.Flags) (able T, account *gateway.Account, body []byte, err error) {
	if fl.NArg() > 0 {
		return able, nil, nil, fmt.Errorf("unexpected argument %q: the body comes on standard input", fl.Arg(0))
	}
	if able, account, err = open[T](c, fl, "makes signatures that cannot be made here"); err != nil {
		return able, nil, nil, err
	}
	body, err = readStdin()
	return able, account, body, err
}
