package apiclienttest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// ResettingAPI speaks HTTP/2, reads each request to its end, and answers it by
// resetting the stream.
type ResettingAPI struct {
	URL      string
	trust    *x509.CertPool
	requests atomic.Int32
}

// NewResettingAPI starts a server that resets each stream with the code.
func NewResettingAPI(t *testing.T, code http2.ErrCode) *ResettingAPI {
	t.Helper()
	sample := httptest.NewTLSServer(nil)
	sample.Close()
	api := &ResettingAPI{trust: x509.NewCertPool()}
	api.trust.AddCert(sample.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: sample.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	api.URL = "https://" + listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go api.serve(conn, code)
		}
	}()
	return api
}

func (api *ResettingAPI) serve(conn net.Conn, code http2.ErrCode) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				api.requests.Add(1)
				_ = framer.WriteRSTStream(frame.StreamID, code)
			}
		}
	}
}

// Requests counts the requests that were read to their end.
func (api *ResettingAPI) Requests() int { return int(api.requests.Load()) }

// Client returns an HTTP client that trusts the server.
func (api *ResettingAPI) Client(t *testing.T) *http.Client {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: api.trust, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
