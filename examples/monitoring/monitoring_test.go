// Package monitoring_test checks the rules and the dashboard against what a
// running Caddy says.
package monitoring_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// TestNames: every metric that the rules and the dashboard name is in the scrape
// of a running Caddy, with the labels that they ask for; and every metric of
// ours is on the dashboard and in the docs.
func TestNames(t *testing.T) {
	labels := scrape(t)
	for _, file := range []string{"alerts.yml", "alerts_test.yml", "dashboard.json"} {
		text := read(t, file)
		found := metricName.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, match := range found {
			known, ok := labels[match[1]]
			if !ok {
				t.Errorf("%s names %s, which Caddy does not have", file, match[1])
			}
			for _, label := range labelName.FindAllStringSubmatch(strings.ReplaceAll(match[2], `\"`, `"`), -1) {
				if !known[label[1]] && label[1] != "instance" {
					t.Errorf("%s asks %s for %s, which it does not have", file, match[1], label[1])
				}
			}
		}
	}
	dashboard, docs := read(t, "dashboard.json"), read(t, "../../docs/operations.md")
	for name := range labels {
		name = regexp.MustCompile("_(bucket|sum|count)$").ReplaceAllString(name, "")
		if !strings.Contains(dashboard, name) {
			t.Errorf("the dashboard lacks %s", name)
		}
		if !strings.Contains(docs, strings.TrimPrefix(name, "caddy_ccpayment_")) {
			t.Errorf("the docs lack %s", name)
		}
	}
}

var (
	metricName = regexp.MustCompile(`(caddy_ccpayment_\w+)(?:\{([^}]*)\})?`)
	labelName  = regexp.MustCompile(`(\w+)(?:=~|!=|!~|=)"`)
)

// scrape runs Caddy with one webhook that its API does not know, and returns the
// labels of each of our metrics.
func scrape(t *testing.T) map[string]map[string]bool {
	t.Helper()
	const appID, secret = "app", "secret"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":11003,"msg":"no such record"}`)
	}))
	t.Cleanup(api.Close)
	ports := processtest.Ports(t, 2)
	admin, site := "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1]
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		admin `+admin+`
		persist_config off
		ccpayment {
			app_id `+appID+`
			app_secret `+secret+`
			base_url `+api.URL+`
			store bolt {
				path `+filepath.Join(t.TempDir(), "ledger.db")+`
			}
		}
	}
	http://`+site+` {
		bind 127.0.0.1
		ccpayment_webhook /hook localhost:1
		ccpayment_webhook /direct {
			confirm off
			route direct
		}
		ccpayment_checkout /pay {
			link_secret secret-of-the-links
		}
		reverse_proxy /direct localhost:1
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Load([]byte(`{"admin":{"disabled":true,"config":{"persist":false}}}`), true); err != nil {
			t.Error(err)
		}
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]int{"/hook": http.StatusOK, "/direct": http.StatusBadGateway} { // where nobody is
		body := `{"type":"ApiDeposit","msg":{"recordId":"1","orderId":"order-1","status":"Success","isFlaggedAsRisky":false}}`
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+site+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		sign := client.Sign(client.Credentials{AppID: appID, AppSecret: secret}, timestamp, []byte(body))
		for name, value := range map[string]string{"Appid": appID, "Timestamp": timestamp, "Sign": sign} {
			request.Header.Set(name, value)
		}
		if status, answer := do(t, request); status != want {
			t.Fatalf("the webhook at %s got %d %s", path, status, answer)
		}
	}

	forged, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+site+"/pay?sig=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := do(t, forged); status != http.StatusForbidden {
		t.Fatalf("a forged link got %d %s", status, answer)
	}

	deadline := time.After(20 * time.Second)
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, page := do(t, request)
		isThere := func(name string) bool { return strings.Contains(page, "caddy_ccpayment_"+name+"{") }
		if isThere("api_requests_total") && isThere("api_duration_seconds_count") && isThere("reconcile_age_seconds") && isThere("retry_budget_seconds") {
			return labelsOf(page)
		}
		select {
		case <-deadline:
			t.Fatal("the API was not asked")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func labelsOf(page string) map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for line := range strings.Lines(page) {
		match := metricName.FindStringSubmatch(line)
		if match == nil || strings.HasPrefix(line, "#") {
			continue
		}
		labels := make(map[string]bool)
		for _, label := range labelName.FindAllStringSubmatch(match[2], -1) {
			labels[label[1]] = true
		}
		all[match[1]] = labels
	}
	return all
}

func do(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules: Prometheus takes the rules, and each alert fires when it should.
func TestRules(t *testing.T) {
	alerts := strings.Count(read(t, "alerts.yml"), "- alert: ")
	for _, line := range []string{" expr: ", " severity: ", " summary: ", " description: "} {
		if n := strings.Count(read(t, "alerts.yml"), line); n != alerts || n == 0 {
			t.Errorf("%d alerts have %d lines with%s", alerts, n, line)
		}
	}
	for name := range strings.Lines(read(t, "alerts.yml")) {
		if _, name, ok := strings.Cut(strings.TrimSpace(name), "- alert: "); ok && !strings.Contains(read(t, "alerts_test.yml"), `"`+name+`"`) {
			t.Errorf("no test sees %s fire", name)
		}
	}
	promtool := needs.Command(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestDashboard: each panel asks one question, and something answers it.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Title  string `json:"title"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.Title == "" || len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard is empty")
	}
	ids := make(map[int]bool)
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] || !strings.HasSuffix(panel.Title, "?") || len(panel.Targets) == 0 {
			t.Errorf("panel %d %q: is it one question, with an answer?", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			if !metricName.MatchString(target.Expr) || strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") {
				t.Errorf("%q asks %q", panel.Title, target.Expr)
			}
		}
	}
}
