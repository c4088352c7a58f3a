package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway/ccpayment"
)

func signCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign [--timestamp <seconds>]",
		Short: "Prints the headers that sign the body on standard input",
		Long: `
Prints the headers Appid, Timestamp and Sign for the body on standard input, as
CCPayment makes them. They can be sent as they are:

    caddy ccpayment sign < body.json > headers
    curl -H @headers --data-binary @body.json https://shop.example/hook`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("timestamp", "", "Unix time in seconds (default: now)")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.sign)
	return cmd
}

func (c Config) sign(fl caddycmd.Flags) (int, error) {
	account, body, err := c.input(fl)
	if err != nil {
		return exitUsage, err
	}
	timestamp := fl.String("timestamp")
	if timestamp == "" {
		timestamp = strconv.FormatInt(time.Now().Unix(), 10)
	}
	appID, sign := account.Info().AccountID, account.SignAt(timestamp, body)
	if _, err := client.ReadSignatureHeaders(http.Header{"Appid": {appID}, "Timestamp": {timestamp}, "Sign": {sign}}); err != nil {
		return exitUsage, err
	}
	fmt.Printf("Appid: %s\nTimestamp: %s\nSign: %s\n", appID, timestamp, sign)
	return exitDone, nil
}

// tolerance is the default of ccpayment_webhook's option.
const tolerance = 5 * time.Minute

func verifyCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --timestamp <text> --sign <hex> [--app-id <id>] [--tolerance <duration>]",
		Short: "Verifies the body on standard input and says what does not match",
		Long: `
Verifies the body on standard input against the headers of a delivery, and says
of each part whether it matches; where the signature does not, it tries what
usually went wrong. The body must be the bytes as they were received.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("app-id", "", "The Appid header (default: ours)")
	cmd.Flags().String("timestamp", "", "The Timestamp header")
	cmd.Flags().String("sign", "", "The Sign header")
	cmd.Flags().Duration("tolerance", tolerance, "How old or early it may be")
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(c.verify)
	return cmd
}

func (c Config) verify(fl caddycmd.Flags) (int, error) {
	if fl.String("timestamp") == "" || fl.String("sign") == "" {
		return exitUsage, errors.New("give --timestamp and --sign, as the delivery had them")
	}
	account, body, err := c.input(fl)
	if err != nil {
		return exitUsage, err
	}
	header := http.Header{"Appid": {account.Info().AccountID}, "Timestamp": {fl.String("timestamp")}, "Sign": {fl.String("sign")}}
	if id := fl.String("app-id"); id != "" {
		header.Set("Appid", id)
	}
	signed, err := client.ReadSignatureHeaders(header)
	if err != nil {
		return exitRefused, err
	}

	now := time.Now()
	findings := []finding{
		verifyAppID(account.Info().AccountID, signed),
		verifySign(account, signed, body, now),
		verifyTime(signed, now, fl.Duration("tolerance")),
	}
	if wrong := printFindings(findings); wrong > 0 {
		return exitRefused, fmt.Errorf("the delivery does not verify: %d of %d parts are wrong", wrong, len(findings))
	}
	return exitDone, nil
}

// finding is what is found of one part.
type finding struct {
	part string
	ok   bool
	text string
}

// printFindings prints a line for each and returns how many are wrong.
func printFindings(findings []finding) (wrong int) {
	for _, f := range findings {
		word := "ok"
		if !f.ok {
			word = "WRONG"
			wrong++
		}
		fmt.Printf("%-10s %-6s %s\n", f.part, word, printable(f.text))
	}
	return wrong
}

func verifyAppID(appID string, signed client.SignatureHeaders) finding {
	if signed.AppID != appID {
		return finding{"Appid", false, fmt.Sprintf("%s is not ours: ours is %s", signed.AppID, appID)}
	}
	return finding{"Appid", true, signed.AppID}
}

func verifyTime(signed client.SignatureHeaders, now time.Time, tolerance time.Duration) finding {
	age := now.Sub(signed.Time).Round(time.Second)
	text := fmt.Sprintf("%s, %s ago", signed.Time.UTC().Format(time.RFC3339), age)
	if age < 0 {
		text = fmt.Sprintf("%s, %s from now", signed.Time.UTC().Format(time.RFC3339), -age)
	}
	if age.Abs() > tolerance {
		return finding{"Timestamp", false, fmt.Sprintf("%s, which is outside %s: an old delivery, or a wrong clock", text, tolerance)}
	}
	return finding{"Timestamp", true, text}
}

func verifySign(account *ccpayment.V2, signed client.SignatureHeaders, body []byte, now time.Time) finding {
	switch made := account.Explain(signed.Timestamp, body, signed.Sign, now); {
	case made.Matches && made.Previous == 0:
		return finding{"Sign", true, "made with app_secret"}
	case made.Matches:
		text := fmt.Sprintf("made with previous_secret %d", made.Previous)
		if made.Ended {
			return finding{"Sign", false, text + ", which has ended"}
		}
		return finding{"Sign", true, text}
	}
	for _, slip := range slips(signed, body) {
		if made := account.Explain(slip.timestamp, slip.body, slip.sign, now); made.Matches && made.Previous == 0 {
			return finding{"Sign", false, slip.text}
		}
	}
	return finding{"Sign", false, "made with another secret, app id, timestamp or body"}
}

// slip is a usual mistake, undone.
type slip struct {
	timestamp string
	body      []byte
	sign      string
	text      string
}

func slips(signed client.SignatureHeaders, body []byte) []slip {
	same := slip{signed.Timestamp, body, signed.Sign, ""}
	var found []slip
	try := func(text string, change func(*slip)) {
		s := same
		s.text = text
		change(&s)
		found = append(found, s)
	}
	try("it would match in lower case", func(s *slip) { s.sign = strings.ToLower(s.sign) })
	try("it would match without the line break at the body's end", func(s *slip) { s.body = bytes.TrimRight(body, "\r\n") })
	try("it would match with a line break at the body's end", func(s *slip) { s.body = append(bytes.Clone(body), '\n') })
	try("it would match an empty body", func(s *slip) { s.body = nil })
	try("it would match the Timestamp in seconds", func(s *slip) { s.timestamp = strconv.FormatInt(signed.Time.Unix(), 10) })
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		try("it would match the body as compact JSON: the body was written anew after it was signed",
			func(s *slip) { s.body = compact.Bytes() })
	}
	return found
}

// input is what sign and verify work on: the account, and the body on standard
// input.
func (c Config) input(fl caddycmd.Flags) (*ccpayment.V2, []byte, error) {
	if fl.NArg() > 0 {
		return nil, nil, fmt.Errorf("unexpected argument %q: the body comes on standard input", fl.Arg(0))
	}
	account, err := c.ccpayment(fl)
	if err != nil {
		return nil, nil, err
	}
	body, err := readStdin()
	return account, body, err
}
