package sandbox_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func command(t *testing.T, out *processtest.Output, args ...string) *cobra.Command {
	t.Helper()
	for _, cmd := range subcommand.All() {
		if cmd.Name() == "sandbox" {
			cmd.SetArgs(args)
			cmd.SetOut(out)
			cmd.SetErr(out)
			return cmd
		}
	}
	t.Fatal("there is no command called sandbox")
	return nil
}

func TestCommandServesUntilItIsEnded(t *testing.T) {
	t.Setenv("CCPAYMENT_APP_ID", appID)
	t.Setenv("CCPAYMENT_APP_SECRET", secret)
	out := &processtest.Output{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- command(t, out, "--listen", "127.0.0.1:0", "--speed", "1000").ExecuteContext(ctx)
	}()
	base := regexp.MustCompile(`API +(http://127\.0\.0\.1:[0-9]+)/ccpayment/v2\n`)
	processtest.Until(t, "the address", func() bool { return base.MatchString(out.String()) })
	w := &world{t: t, url: base.FindStringSubmatch(out.String())[1], client: &http.Client{Transport: &http.Transport{}}}
	w.ok("createInvoiceUrl", `{"orderId":"inv-1","price":"1","priceFiatId":1033}`)
	check(t, w, "createInvoiceUrl", []rule{{"forged line", `{"orderId":"inv-1\n","price":"1","priceFiatId":9}`, 11000, ""}})
	w.control("POST", "/sandbox/pay", `{"order_id":"inv-1","wait":true}`)
	for _, want := range []string{
		appID, "/sandbox/pay", "createInvoiceUrl code=10000 success", "ApiDeposit Success order=inv-1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("the secret that was given is printed:\n%s", out.String())
	}
	w.client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://")); err == nil {
		t.Error("it listens still")
	}
}

func TestCommandExitCodes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--listen " + busy.Addr().String(), 4, "in use"},
		{"--listen 0.0.0.0:0", 2, "--public-url"},
		{"--listen :0", 2, "--public-url"},
		{"--listen nonsense", 2, "--listen"},
		{"--speed 0 --listen 127.0.0.1:0", 2, "--speed"},
		{"--webhook shop.example --listen 127.0.0.1:0", 2, "webhook URL"},
		{"now", 2, "now"},
	} {
		err := command(t, &processtest.Output{}, strings.Fields(c.args)...).ExecuteContext(t.Context())
		var exit *subcommand.ExitError
		if !errors.As(err, &exit) || exit.Code != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want exit code %d and %q", c.args, err, c.code, c.says)
		}
	}
}

func TestCommandWarnsWhenOthersCanReachIt(t *testing.T) {
	out := &processtest.Output{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- command(t, out, "--listen", ":0", "--public-url", "https://pay.shop.example").ExecuteContext(ctx)
	}()
	processtest.Until(t, "the warning", func() bool { return strings.Contains(out.String(), "Warning") })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
