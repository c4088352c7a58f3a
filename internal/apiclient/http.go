package apiclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewHTTPClient returns a client with pooled connections, and TLS 1.2 or newer.
func NewHTTPClient() *http.Client {
	// Not http.DefaultTransport, which programs replace with ones that retry.
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}}
}

// BaseURL checks the URL of an API, which is https, or http on loopback, with its host in
// ASCII as it is sent, and returns it without a slash at its end. The example is one of a
// right form.
func BaseURL(base, example string) (string, error) {
	if strings.Contains(base, "@") {
		return "", errors.New("the base URL holds a user name or a password, which this API has none of")
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || strings.ContainsAny(base, "?#") || strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' }) {
		return "", fmt.Errorf("the base URL %q is not like %s", base, example)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return "", fmt.Errorf("the base URL %q is neither https nor http on loopback", base)
	}
	return strings.TrimRight(base, "/"), nil
}

func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}

// WithoutRedirects returns a copy of a client that follows no redirect: a signed call is
// for its API alone.
func WithoutRedirects(h *http.Client) *http.Client {
	own := *h
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// NeverSent reports whether an error of a client proves that the request did not leave:
// no connection could be made, or not with the right server. A transport of
// somebody else's may have tried more than once, so it proves nothing.
func NeverSent(h *http.Client, err error) bool {
	transport := h.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	if _, plain := transport.(*http.Transport); !plain {
		return false
	}
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &certificate)
}

// Sleep reports whether the time passed; it does not begin where the context
// would end first.
func Sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Failure names what went wrong with a call that got no answer, in one of three words:
// canceled, timeout, network.
func Failure(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	default:
		return "network"
	}
}

// Line makes a line of log out of an API's text.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "..."
	}
	return text
}
