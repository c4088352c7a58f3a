package relay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// TestEndlessBody: who announces a body and never sends the rest is let go, also where it is
// refused before it is read; and the app may take longer than a body that has arrived.
func TestEndlessBody(t *testing.T) {
	const within = 200 * time.Millisecond
	failed, gone := make(chan error, 1), make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		LimitBodyTime(w, r, within)
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := ReadBody(w, r, 100)
		if err != nil {
			failed <- err
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select { // the app takes longer than the body may
		case <-r.Context().Done():
			gone <- r.Context().Err()
		case <-time.After(2 * within):
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	// send writes the parts of a request and returns the response.
	send := func(method string, length int, body string) (status int, answer string) {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // only a failing test uses it up
		fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, length, body)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
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
	if status, _ := send("POST", 10, "{"); status != http.StatusBadRequest {
		t.Errorf("a body that never ends: %d", status)
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it failed with %v", err)
	}
	if status, _ := send("PUT", 10, "{"); status != http.StatusMethodNotAllowed {
		t.Errorf("one that is refused before: %d", status)
	}
	if status, answer := send("POST", 2, "{}"); status != http.StatusOK || answer != "{}" {
		t.Errorf("a body in time: %d %s", status, answer)
	}
	if len(gone) > 0 {
		t.Errorf("the request was ended behind its body: %v", <-gone)
	}
	if status, _ := send("POST", 101, strings.Repeat("x", 101)); status != http.StatusBadRequest || !errors.As(<-failed, new(*http.MaxBytesError)) {
		t.Errorf("a long one: %d", status)
	}
}

// TestServersOwnLimit: a server's own limit holds where it is the shorter one.
func TestServersOwnLimit(t *testing.T) {
	failed := make(chan error, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		LimitBodyTime(w, r, time.Hour)
		_, err := ReadBody(w, r, 100)
		failed <- err
	}))
	server.Config.ReadTimeout = 200 * time.Millisecond
	server.Start()
	defer server.Close()
	body, end := io.Pipe()
	defer end.Close()
	go func() { _, _ = io.WriteString(end, "{") }() // and no more
	response, err := http.Post(server.URL, "application/json", body)
	if err == nil {
		response.Body.Close()
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it failed with %v", err)
	}
}
