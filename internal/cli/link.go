package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/checkout"
)

func linkCommand(c Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link --url <page> --order-id <id> --price <amount>",
		Short: "Makes a signed link to a checkout",
		Long: `
Makes a link that ccpayment_checkout takes with link_secret, and prints it. Who
opens it pays what it says, and can change nothing of it.

The secret is CCPAYMENT_LINK_SECRET from the environment; the app id, which is
signed too, is CCPAYMENT_APP_ID, or that of the configuration that --config
names. At CoinPayments it is the client id.`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("url", "", "The page that has ccpayment_checkout")
	cmd.Flags().String("order-id", "", "The order's id, without the account's prefix")
	cmd.Flags().String("price", "", "The price, such as 49.90")
	cmd.Flags().String("currency", "USD", "What the price is in: a symbol, fiat:<id> or coin:<id>")
	cmd.Flags().Duration("valid-for", defaultLinkLife, "How long the link can be opened")
	cmd.Flags().String("product", "", "What the hosted page says is bought")
	cmd.Flags().String("buyer-email", "", "Where CCPayment writes to about the payment")
	cmd.Flags().String("return-url", "", "Where the buyer goes after paying")
	cmd.Flags().String("close-url", "", "Where the buyer goes on leaving")
	cmd.Flags().String("coin", "", "The coin to pay in: a symbol or coin:<id> (default: the buyer picks it)")
	cmd.Flags().String("chain", "", "The coin's chain")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			return c.link(fl, cmd.OutOrStdout())
		})(cmd, args)
	}
	return cmd
}

const defaultLinkLife = 24 * time.Hour

func (c Config) link(fl caddycmd.Flags, out io.Writer) (int, error) {
	if fl.NArg() > 0 {
		return exitUsage, fmt.Errorf("unexpected argument %q: all that a link says is a flag", fl.Arg(0))
	}
	page, err := url.Parse(fl.String("url"))
	if err != nil || page.Host == "" || page.Scheme != "http" && page.Scheme != "https" {
		return exitUsage, errors.New("--url takes the page that has ccpayment_checkout, such as https://shop.example/pay")
	}
	query := page.Query()
	for _, name := range append(slices.Clone(checkout.LinkFields), "sig") {
		if query.Has(name) {
			return exitUsage, fmt.Errorf("--url has %s in it: give it as a flag", name)
		}
	}
	fields, err := linkValues(fl, time.Now())
	if err != nil {
		return exitUsage, err
	}
	secret := os.Getenv("CCPAYMENT_LINK_SECRET")
	if len(secret) < checkout.MinimumLinkSecret {
		return exitUsage, fmt.Errorf("CCPAYMENT_LINK_SECRET must hold link_secret, which has at least %d characters", checkout.MinimumLinkSecret)
	}
	appID, err := c.AppID(fl)
	if err != nil {
		return exitUsage, err
	}
	for name, values := range fields {
		query[name] = values
	}
	query.Set("sig", hex.EncodeToString(checkout.SignLink(secret, appID, fields.Get)))
	page.RawQuery = query.Encode()
	if _, err := fmt.Fprintln(out, page); err != nil {
		return exitRefused, err
	}
	return exitDone, nil
}

// linkValues are what a link says, checked as far as it can be without asking
// CCPayment.
func linkValues(fl caddycmd.Flags, now time.Time) (url.Values, error) {
	life := fl.Duration("valid-for")
	if life <= 0 {
		return nil, errors.New("--valid-for must be longer than zero")
	}
	fields := url.Values{"valid_until": {strconv.FormatInt(now.Add(life).Unix(), 10)}}
	for _, name := range checkout.LinkFields {
		if name == "valid_until" {
			continue
		}
		flag := strings.ReplaceAll(name, "_", "-")
		value := fl.String(flag)
		if strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("--%s has a line break in it", flag)
		}
		if value != "" {
			fields.Set(name, value)
		}
	}
	if err := checkout.CheckOrderID(fields.Get("order_id")); err != nil {
		return nil, fmt.Errorf("--order-id: %w", err)
	}
	if _, err := checkout.ParsePrice(fields.Get("price"), checkout.IsFiat(fields.Get("currency"))); err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	if fields.Get("currency") == "" {
		return nil, errors.New("--currency is empty")
	}
	if fields.Has("coin") != fields.Has("chain") {
		return nil, errors.New("--coin and --chain go together")
	}
	return fields, errors.Join(
		checkout.CheckURL("--return-url", fields.Get("return_url"), checkout.DefaultInfo),
		checkout.CheckURL("--close-url", fields.Get("close_url"), checkout.DefaultInfo))
}
