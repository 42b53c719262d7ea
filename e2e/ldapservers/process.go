package ldapservers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const startTimeout = 30 * time.Second

// need returns the program. Without it a test fails where everything has to be
// there (CI), and is skipped elsewhere.
func need(t testing.TB, pkg, path string) string {
	t.Helper()
	if os.Getenv("CI") == "" {
		t.Skip("starts a real directory: set CI=true")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the Debian package %s is not installed: run make setup", pkg)
	}
	return path
}

// folder is a new folder that other users may enter, unlike t.TempDir's. Its
// path is short, because sockets are put into it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "anteroom-ldap-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unprivileged lets a process run as nobody when we are root.
func unprivileged(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attr
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("nobody is user %s of group %s", nobody.Uid, nobody.Gid)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr
}

// own hands the folder to the user the process runs as.
func own(t testing.TB, dir string, attr *syscall.SysProcAttr) {
	t.Helper()
	if attr.Credential == nil {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(attr.Credential.Uid), int(attr.Credential.Gid))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run starts the program, from a thread that lives as long (the kernel sends the
// parent-death signal when that ends), and waits until it listens.
func run(t testing.TB, cmd *exec.Cmd, addr string) (pid int) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait()
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(startTimeout); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return cmd.Process.Pid
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", cmd.Path, out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", cmd.Path, err)
		}
	}
}

// Freeze stops the server's process and returns when all of its threads have
// stopped: until then it might still answer. What it returns lets it go on.
func (s Server) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	if err := unix.Kill(s.Pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		err := unix.Waitid(unix.P_PID, s.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := unix.Kill(s.Pid, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
}

// certificate makes key.pem and cert.pem for the host, and returns what is to be
// trusted.
func certificate(t testing.TB, dir, host string) string {
	t.Helper()
	cert, key := pemPair(t, host)
	write(t, dir, "cert.pem", cert)
	write(t, dir, "key.pem", key)
	return cert
}

// Certificate makes a certificate for the host, and returns it with what is to be
// trusted, PEM.
func Certificate(t testing.TB, host string) (own tls.Certificate, ca string) {
	t.Helper()
	cert, key := pemPair(t, host)
	own, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return own, cert
}

func pemPair(t testing.TB, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "directory"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "directory.example.com"}, IPAddresses: []net.IP{net.ParseIP(host)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", encoded)
}
