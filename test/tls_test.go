package test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

func TestHTTP2(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	s := newServer(t, app.url)
	securePort := processtest.Ports(t, 1)[0]
	secure := strings.Replace(site, "http://127.0.0.1:{$PORT} {", "https://localhost:"+securePort+" {\n\ttls internal", 1)
	s.start(strings.Replace(globals, "auto_https", "skip_install_trust\n\tauto_https", 1) +
		"http://127.0.0.1:{$PORT} {\n\treverse_proxy {$APP}\n}\n" + secure)

	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	c, url := &http.Client{Transport: transport, Timeout: processtest.Patience}, "https://localhost:"+securePort+"/hook"

	// The certificate is made in the background.
	e := newEvent()
	var got answer
	processtest.Until(t, "the site answers over TLS", func() bool {
		var err error
		got, err = deliver(t.Context(), c, url, e, appSecret)
		return err == nil
	})
	want := answer{http.StatusOK, 2, "Success"}
	if got != want {
		t.Errorf("the answer is %+v, not %+v", got, want)
	}
	if got, err := deliver(t.Context(), c, url, e, appSecret); got != want {
		t.Errorf("the answer to a copy is %+v, not %+v, %v", got, want, err)
	}
	want = answer{http.StatusUnauthorized, 2, "the signature does not match"}
	if got, err := deliver(t.Context(), c, url, newEvent(), "a guess"); got != want {
		t.Errorf("the answer to a forged delivery is %+v, not %+v, %v", got, want, err)
	}
	if times, all := app.count(e); times != 1 || all != 1 {
		t.Errorf("the event was handed over %d times, of %d", times, all)
	}
	s.stop()
}
