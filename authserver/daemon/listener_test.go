package daemon

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate of that name in the folder.
func writeCertificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestCertificateIsRenewed(t *testing.T) {
	dir, now, log := t.TempDir(), time.Now(), &bytes.Buffer{}
	certFile, keyFile := writeCertificate(t, dir, "first")
	c, err := loadCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(log, nil)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want string) {
		t.Helper()
		if got := c.get().Leaf.Subject.CommonName; got != want {
			t.Errorf("serves %s, want %s", got, want)
		}
	}
	serves("first")
	if err := os.WriteFile(certFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateEvery)
	serves("first")
	if !strings.Contains(log.String(), "not renewed") {
		t.Errorf("nobody was told: %s", log)
	}
	writeCertificate(t, dir, "second")
	serves("first") // looked at just now
	now = now.Add(certificateEvery)
	serves("second")
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateEvery)
	serves("second")
	if _, err := loadCertificate(certFile, keyFile, slog.Default(), time.Now); err == nil || !strings.Contains(err.Error(), "tls.key") {
		t.Errorf("a start without the key: %v", err)
	}
}

func TestServesTLS(t *testing.T) {
	s := openSystem(t)
	s.Config.TLSCert, s.Config.TLSKey = writeCertificate(t, t.TempDir(), "login")
	s.Config.Issuer, s.Config.SecurityContact = "https://login.example.com", "mailto:security@example.com"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	pool := x509.NewCertPool()
	raw, err := os.ReadFile(s.Config.TLSCert)
	if err != nil || !pool.AppendCertsFromPEM(raw) {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	res, err := (&http.Client{Transport: transport}).Get("https://" + listener.Addr().String() + "/.well-known/security.txt")
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	transport.CloseIdleConnections()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" ||
		!strings.Contains(body.String(), "Contact: mailto:security@example.com\n") || !strings.Contains(body.String(), "Canonical: https://login.example.com/.well-known/security.txt\n") {
		t.Errorf("%s %d %v\n%s", res.Proto, res.StatusCode, res.Header, &body)
	}
	stop()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "Server closed") {
		t.Error(err)
	}
}

func TestTLSNeedsItsFiles(t *testing.T) {
	s := openSystem(t)
	s.Config.TLSCert, s.Config.TLSKey = "/nowhere/cert.pem", "/nowhere/key.pem"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "tls.cert") {
		t.Errorf("Serve = %v", err)
	}
}
