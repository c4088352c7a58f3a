package postgrestest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
)

// StartRemote starts a server that is reached by an address of this machine which is not
// its loopback one, encrypted and not, as [Start] does. Where the machine has no such
// address, the test ends; see [needs.LeaveOut].
func StartRemote(t testing.TB, settings ...string) *Server {
	t.Helper()
	host := ownAddress()
	if host == "" {
		needs.LeaveOut(t, "a network address", "the machine has its loopback one only")
	}
	s := Start(t, append(settings, "listen_addresses=127.0.0.1,"+host)...)
	s.host = host
	if err := s.certify(host); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, `alter system set ssl = on`)
	s.Exec(t, `select pg_reload_conf()`)
	return s
}

// ownAddress returns an address of this machine's that others may reach; empty: there
// is none.
func ownAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		if in, ok := address.(*net.IPNet); ok && in.IP.To4() != nil && in.IP.IsGlobalUnicast() {
			return in.IP.String()
		}
	}
	return ""
}

// Authority is the file of the authority that a [StartRemote] server's certificate is
// signed by: its own.
func (s *Server) Authority() string { return filepath.Join(s.dir, "authority.pem") }

// RemoteURL is the server's by its address, with these settings.
func (s *Server) RemoteURL(settings url.Values) string {
	return "postgres://test@" + net.JoinHostPort(s.host, s.Port) + "/postgres?" + settings.Encode()
}

// certify gives the server a certificate of its address, and lets that in.
func (s *Server) certify(host string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	write := func(name, kind string, bytes []byte) error {
		file := filepath.Join(s.data(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			return err
		}
		return own(file)
	}
	if err := write("server.key", "PRIVATE KEY", private); err != nil {
		return err
	}
	if err := write("server.crt", "CERTIFICATE", certificate); err != nil {
		return err
	}
	if err := os.WriteFile(s.Authority(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644); err != nil {
		return err
	}
	rules, err := os.OpenFile(filepath.Join(s.data(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer rules.Close()
	_, err = rules.WriteString("host all all " + host + "/32 trust\n")
	return err
}
