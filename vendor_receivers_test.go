//go:build unix

package ccpayment_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// script starts a receiver of testdata/receivers, which people wrote for CCPayment without
// knowing the plugin, and returns its address.
func script(t *testing.T, name string, env ...string) string {
	t.Helper()
	command, args := "node", []string{filepath.Join("testdata", "receivers", name)}
	addr := net.JoinHostPort("127.0.0.1", processtest.Ports(t, 1)[0])
	if strings.HasSuffix(name, ".php") {
		command, args = "php", append([]string{"-S", addr}, args...)
	}
	cmd := exec.Command(needs.Command(t, command), args...)
	cmd.Env = append(os.Environ(), append(env, "APP_ID="+appID, "APP_SECRET="+secret, "PORT="+port(addr))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	await(t, name+" listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return addr
}

// paidAt starts the sandbox and Caddy in front of a receiver, pays an order, and returns
// both.
func paidAt(t *testing.T, receiver, options string) *shop {
	t.Helper()
	box, c, base := newSandbox(t, 1)
	takeNotes(t, false)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{
		global: "events {\n on * test_notes\n }\nservers {\n trusted_proxies static 127.0.0.0/8\n }", account: "base_url " + base, confirm: true,
		site: strings.NewReplacer("$APP", receiver, "confirm off", options+"\nretry {\nfirst 20ms\n}").Replace(storedSite),
	})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	if err := kinds["order in coin"](s, "order-1"); err != nil {
		t.Fatal(err)
	}
	s.pay(sandbox.Payment{OrderID: "order-1"})
	return s
}

// TestVendorLowercase: a receiver that says success in lower case gets each event once,
// from Caddy with `sign ccpayment` as from the sandbox itself.
func TestVendorLowercase(t *testing.T) {
	receiver := script(t, "lowercase.mjs")
	s := paidAt(t, receiver, "sign ccpayment")
	await(t, "the order is fulfilled", func() bool { return len(notesOf("ccpayment_order_paid")) == 1 })
	if logs := s.logs(); strings.Contains(logs, "the app did not take the event") {
		t.Errorf("it was no yes at first:\n%s", logs)
	}
	if err := s.box.SetWebhookURL("http://" + receiver + "/"); err != nil {
		t.Fatal(err)
	}
	if d := s.box.Activate(t.Context()); !d.OK || d.Note == "" {
		t.Errorf("the sandbox notes %+v", d)
	}
}

// TestVendorErrorText: a receiver that says no with a 200 and other words gets the event
// again until it says yes, so the order is not lost.
func TestVendorErrorText(t *testing.T) {
	down := filepath.Join(t.TempDir(), "down")
	if err := os.WriteFile(down, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := paidAt(t, script(t, "errortext.php", "DOWN="+down), "sign ccpayment")
	await(t, "several attempts", func() bool { return strings.Count(s.logs(), "the app did not take the event") >= 3 })
	if got := append(notesOf("ccpayment_order_paid"), notesOf("ccpayment_delivered")...); len(got) > 0 {
		t.Fatalf("a no was taken for a yes: %v", got)
	}
	if !strings.Contains(s.logs(), `"response":"Failed to get the order: cURL error 28: "`) {
		t.Error("the log does not show how the response began")
	}
	if err := os.Remove(down); err != nil {
		t.Fatal(err)
	}
	await(t, "the order is fulfilled", func() bool { return len(notesOf("ccpayment_order_paid")) == 1 })
}

// TestVendorReserialised: a receiver that verifies over JSON which it parsed and wrote again
// takes what Caddy and the sandbox send, whatever stands in it.
func TestVendorReserialised(t *testing.T) {
	receiver := script(t, "reserialise.mjs")
	for _, options := range []string{"sign ccpayment", "sign ccpayment\nbody enriched"} {
		s := paidAt(t, receiver, options)
		await(t, "the order is fulfilled", func() bool { return len(notesOf("ccpayment_order_paid")) == 1 })
		if logs := s.logs(); strings.Contains(logs, "the app did not take the event") {
			t.Errorf("%s: the signature did not match:\n%s", options, logs)
		}
	}
	box, c, _ := newSandbox(t, 1)
	address, err := c.PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "a&b <c> é", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	if err := box.SetWebhookURL("http://" + receiver + "/"); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Pay(t.Context(), sandbox.Payment{Address: address.Address, Amount: decimal.New(1, 0), Instant: true, Wait: patience}); err != nil {
		t.Fatal(err)
	}
	for _, d := range box.Deliveries() {
		if !d.OK || !strings.Contains(d.Body, "a&b <c> é") {
			t.Errorf("%+v", d)
		}
	}
}

// TestVendorIPList: a receiver that takes webhooks from CCPayment's addresses only goes on
// doing so behind Caddy, and Caddy behind a proxy.
func TestVendorIPList(t *testing.T) {
	receiver := script(t, "iplist.php")
	for name, site := range map[string]string{
		"stored":       "ccpayment_webhook /hook " + receiver + " {\nconfirm off\nretry {\nfirst 20ms\n}\n}",
		"pass-through": "ccpayment_webhook /hook {\nconfirm off\n}\nreverse_proxy " + receiver,
	} {
		t.Run(name, func(t *testing.T) {
			takeNotes(t, false)
			s := start(t, setup{
				global: noteDelivered + "\nservers {\n trusted_proxies static 127.0.0.0/8\n }",
				site:   "http://:$PORT {\nbind 127.0.0.1\n" + site + "\n}",
			})
			s.deliver(delivery{header: http.Header{"X-Forwarded-For": {"54.150.123.157"}}}).wants(t, http.StatusOK)
			await(t, "it is delivered", func() bool { return len(notesOf("ccpayment_delivered")) == 1 })
			if logs := s.logs(); strings.Contains(logs, "the app did not take the event") {
				t.Errorf("it was refused at first:\n%s", logs)
			}
		})
	}
}
