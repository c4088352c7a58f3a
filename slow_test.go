package ccpayment_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A sender that holds back the end of the body must not stretch the tolerance:
// what counts is when the delivery is complete.
func TestSlowSender(t *testing.T) {
	const tolerance = time.Second
	s := start(t, setup{webhook: "stale reject\ntolerance " + tolerance.String()})
	signed := time.Now()
	text := delivery{}.raw()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text[:len(text)-1])); err != nil {
		t.Fatal(err)
	}
	await(t, "the delivery is old", func() bool { return time.Since(signed) > tolerance })
	if _, err := conn.Write([]byte(text[len(text)-1:])); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("answer %d, want %d", response.StatusCode, http.StatusUnauthorized)
	}
	s.app.wants(t, 0)
}

// The log says what the one response for all causes does not, and a filter that may let
// nothing through is warned about.
func TestHintsInTheLog(t *testing.T) {
	s := start(t, setup{webhook: "types ApiDeposit Apideposit\nstatuses SUCCESS Paid", app: status(http.StatusUnauthorized)})
	s.deliver(delivery{appID: "another"}).wants(t, http.StatusUnauthorized)
	s.deliver(delivery{secret: "another"}).wants(t, http.StatusUnauthorized)
	s.deliver(delivery{}).wants(t, http.StatusBadGateway)
	logs := s.logs()
	for _, want := range []string{
		"the Appid is not ours", "no live secret made it", "the app answered 401: has it the same token?",
		`"value":"Apideposit"`, `"value":"Paid"`,
	} {
		if !strings.Contains(logs, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	for _, known := range []string{`"value":"ApiDeposit"`, `"value":"SUCCESS"`} {
		if strings.Contains(logs, known) {
			t.Errorf("the log warns of %s", known)
		}
	}
}
