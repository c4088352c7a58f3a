package test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestSandboxCommand: what it prints are Caddyfiles that this Caddy takes, one for each
// gateway, it serves, and one interrupt ends it at once, whatever waits for it.
func TestSandboxCommand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(binary, "ccpayment", "sandbox", "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "CCPAYMENT_APP_ID=app-123", "CCPAYMENT_APP_SECRET=secret-456",
		"COINPAYMENTS_CLIENT_ID=6d50e13e28a14a5c8d1a3d1b1e5a0f11", "COINPAYMENTS_CLIENT_SECRET=secret-789")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	base, indented, pointed := "", false, false
	var caddyfiles []string // CCPayment's, and CoinPayments'
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "CCPayment's webhooks go") {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "CCPayment sandbox on "); ok {
			base = rest
		}
		pointed = pointed || line == "  export CCPAYMENT_BASE_URL="+base+"/ccpayment/v2"
		if line == "  {" {
			caddyfiles, indented = append(caddyfiles, ""), true
		}
		if indented {
			caddyfiles[len(caddyfiles)-1] += line + "\n"
			indented = line != "  }"
		}
	}
	go func() { ended <- cmd.Wait() }()
	if !pointed {
		t.Error("it does not say how call and doctor find it")
	}
	for i, has := range []string{"base_url   " + base + "/ccpayment/v2\n", "base_url      " + base + "/coinpayments\n"} {
		if len(caddyfiles) != 2 || !strings.Contains(caddyfiles[i], has) {
			t.Fatalf("it prints the Caddyfiles %q", caddyfiles)
		}
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(caddyfiles[i]), 0o600); err != nil {
			t.Fatal(err)
		}
		validate := exec.Command(binary, "validate", "--config", file)
		validate.Env = cmd.Env
		if text, err := validate.CombinedOutput(); err != nil {
			t.Errorf("the Caddyfile that it prints is refused: %v\n%s\n%s", err, caddyfiles[i], text)
		}
	}

	// A call that is held back.
	response, err := http.Post(base+"/sandbox/faults", "application/json", strings.NewReader(`{"endpoint":"*","delay_ms":60000}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	held := make(chan struct{})
	go func() {
		defer close(held)
		if response, err := http.Post(base+"/ccpayment/v2/getCoinList", "application/json", nil); err == nil {
			response.Body.Close()
		}
	}()
	processtest.Until(t, "the call is held back", func() bool {
		response, err := http.Get(base + "/sandbox/faults")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		left := make([]byte, 64)
		n, _ := response.Body.Read(left)
		return strings.TrimSpace(string(left[:n])) == "[]"
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(4 * time.Second):
		t.Error("an interrupt does not end it while a call waits")
	}
	<-held
}

// TestSandboxUsage: what is wrong with the command line has the exit code 2.
func TestSandboxUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--nope"}, {"--speed", "fast"}, {"--config", "Caddyfile"}, {"now"}} {
		out, errs, code := ccpayment(t, "", append([]string{"sandbox"}, args...)...)
		if code != 2 || errs == "" {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, errs)
		}
	}
}
