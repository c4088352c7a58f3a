package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"
)

// deliverSite is a site whose deliver has some handlers, behind a map and a variable.
func deliverSite(deliver string) string {
	return strings.Replace(`http://:$PORT {
	bind 127.0.0.1
	map {path} {up} {
		default $APP
	}
	vars app $APP
	ccpayment_webhook /hook {
		confirm off
		deliver {
			$DELIVER
		}
		retry {
			first 10ms
		}
	}
}`, "$DELIVER", deliver, 1)
}

const unsetWarning = "has placeholders that nothing in it sets"

// TestCase16_UnsetUpstream: handlers before the route do not run for a delivery. That is
// warned about at the start, and the cause of a failed attempt names the placeholder.
func TestCase16_UnsetUpstream(t *testing.T) {
	for deliver, name := range map[string]string{
		"reverse_proxy {up}":                               "{up}",
		"reverse_proxy {vars.app}":                         "{http.vars.app}",
		"reverse_proxy {http.request.header.X-Upstream}":   "{http.request.header.X-Upstream}",
		"reverse_proxy {re.app.1}":                         "{http.regexp.app.1}",
		"reverse_proxy {http.request.cookie.app}":          "{http.request.cookie.app}",
		"handle /hook {\nreverse_proxy {up}:80\n}":         "{up}",
		"reverse_proxy {\ndynamic a {up} 80\n}":            "{up}",
		"reverse_proxy {http.auth.user.app}:80":            "{http.auth.user.app}",
		"reverse_proxy {up}:80 {\nheader_up X-T {up}\n}":   "{up}",
		"reverse_proxy {http.ccpayment.order_amount_paid}": "", // set for some events only: no warning
	} {
		s := start(t, setup{site: deliverSite(deliver)})
		logs := s.logs()
		if name == "" {
			if strings.Contains(logs, unsetWarning) {
				t.Errorf("%s is warned about", deliver)
			}
			name = "{http.ccpayment.order_amount_paid}"
		} else if _, line, ok := strings.Cut(logs, unsetWarning); !ok || !strings.Contains(strings.SplitN(line, "\n", 2)[0], `"`+name+`"`) {
			t.Errorf("%s: no warning names %s", deliver, name)
		}
		s.deliver(delivery{}).wants(t, http.StatusOK)
		await(t, "a failed attempt", func() bool { return strings.Contains(s.logs(), "the app did not take the event") })
		if cause := `"error":"` + name + " is empty: handlers before `ccpayment_webhook` do not run for a delivery"; !strings.Contains(s.logs(), cause) {
			t.Errorf("%s: the cause does not name %s:\n%s", deliver, name, s.logs())
		}
	}
}

// TestMappedOutside: what a map before the route sets is known for a placeholder anywhere in
// `deliver`, also where it is no upstream.
func TestMappedOutside(t *testing.T) {
	s := start(t, setup{site: deliverSite("reverse_proxy $APP {\nheader_up X-T \"{up} {ok}\"\n}")})
	if _, line, _ := strings.Cut(s.logs(), unsetWarning); !strings.Contains(strings.SplitN(line, "\n", 2)[0], `"placeholders":["{up}"]`) {
		t.Errorf("the log does not name {up} alone: %.300s", line)
	}
}

// TestCase16_SetInside: what `deliver` itself sets, and what every request or event has, is
// not warned about.
func TestCase16_SetInside(t *testing.T) {
	t.Setenv("THE_APP", "set below")
	for _, deliver := range []string{
		"map {path} {up} {\ndefault $APP\n}\nreverse_proxy {up}",
		"map {http.ccpayment.type} {up} {\nApiWithdrawal 127.0.0.1:1\ndefault $APP\n}\nreverse_proxy {up}",
		"vars app $APP\nreverse_proxy {vars.app}",
		"@app path_regexp app ^/(hook)$\nreverse_proxy @app $APP {\nheader_up X-Path {re.app.1}\n}",
		"reverse_proxy $APP {\nheader_up X-All \"{http.ccpayment.type} {vars.ccpayment_status} {client_ip} {host} {env.THE_APP} {time.now.unix} {system.os} {http.request.header.Ccpayment-Type} {header.Idempotency-Key} {http.reverse_proxy.upstream.hostport}\"\n}",
		"request_header X-Tenant shop\nreverse_proxy $APP {\nheader_up X-T {http.request.header.X-Tenant}\n}",
		"@json expression `{http.request.method} == \"POST\" && {path}.matches(\"^/h[a-z]{2,9}$\")`\nreverse_proxy @json $APP",
		"rewrite /in/{http.ccpayment.record_id}\nreverse_proxy $APP",
		"tracing\nreverse_proxy $APP {\nheader_up X-Trace {http.vars.trace_id}-{http.vars.span_id}\n}",
		"invoke app",
		"@never path /never\nrespond @never \"{ok} p {color:red} {up.date}\"\nreverse_proxy $APP",
	} {
		site := deliverSite(deliver)
		if deliver == "invoke app" {
			site = "&(app) {\nvars app $APP\n}\n" + strings.Replace(site, "invoke app", "invoke app\nreverse_proxy {vars.app}", 1)
		}
		s := start(t, setup{site: site})
		s.deliver(delivery{}).wants(t, http.StatusOK)
		awaitCalls(t, s, 1)
		if logs := s.logs(); strings.Contains(logs, unsetWarning) {
			_, line, _ := strings.Cut(logs, unsetWarning)
			t.Errorf("%s is warned about: %.300s", deliver, line)
		}
	}
}
