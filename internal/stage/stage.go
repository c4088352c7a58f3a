// Package stage runs the examples in tests: Caddy in this process, with a Caddyfile as it
// is shipped, and the sandbox instead of the gateways.
package stage

import (
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox/coinpayments"
)

// Stage is a running example.
type Stage struct {
	Site    string           // Caddy's address, such as http://127.0.0.1:40000
	Sandbox *sandbox.Sandbox // both gateways
	Gateway *httptest.Server // the sandbox's, with APIs and pages
}

// The credentials of the sandbox.
const (
	AppID     = "app-123"
	AppSecret = "secret-456"

	ClientID     = "6d50e13e28a14a5c8d1a3d1b1e5a0f11"
	ClientSecret = "secret-789"
)

// Run starts the sandbox, sets the environment variables, and runs the
// Caddyfile from the top of the repository, which is two folders up. In the
// values, $PORT is a free port. All of it ends with the test.
func Run(t *testing.T, caddyfile string, env map[string]string) Stage {
	t.Helper()
	t.Chdir("../..")
	box, err := sandbox.New(sandbox.Options{
		AppID: AppID, AppSecret: AppSecret, Speed: 2,
		CoinPayments: coinpayments.Options{ClientID: ClientID, ClientSecret: ClientSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	gateway := httptest.NewServer(box)
	t.Cleanup(gateway.Close)
	port := freePort(t)
	t.Setenv("CCPAYMENT_APP_ID", AppID)
	t.Setenv("CCPAYMENT_APP_SECRET", AppSecret)
	t.Setenv("CCPAYMENT_BASE_URL", gateway.URL+"/ccpayment/v2")
	t.Setenv("COINPAYMENTS_CLIENT_ID", ClientID)
	t.Setenv("COINPAYMENTS_CLIENT_SECRET", ClientSecret)
	t.Setenv("COINPAYMENTS_BASE_URL", gateway.URL+coinpayments.BasePath)
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for name, value := range env {
		t.Setenv(name, strings.ReplaceAll(value, "$PORT", port))
	}

	text, err := os.ReadFile(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	const quiet = "\n{\n\tadmin off\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n"
	before, after, ok := strings.Cut("\n"+string(text), "\n{\n")
	if !ok {
		t.Fatalf("%s has no global options", caddyfile)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(before+quiet+after), map[string]any{"filename": caddyfile})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return Stage{Site: "http://127.0.0.1:" + port, Sandbox: box, Gateway: gateway}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
