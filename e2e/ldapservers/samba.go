package ldapservers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Names in the domain that [Samba] starts.
const (
	Domain         = "DC=example,DC=com"
	DomainUsers    = "CN=Users," + Domain
	domainPassword = "Canary-Passw0rd!"
)

const smbConf = `[global]
netbios name = DC1
realm = EXAMPLE.COM
workgroup = EXAMPLE
server role = active directory domain controller
server services = ldap
interfaces = ADDRESS/8
bind interfaces only = yes
private dir = DIR/private
state directory = DIR/state
lock directory = DIR
cache directory = DIR/cache
pid directory = DIR
ncalrpc dir = DIR/ncalrpc
binddns dir = DIR/bind-dns
log file = DIR/log
ldb:nosync = true
tls enabled = yes
tls keyfile = DIR/key.pem
tls certfile = DIR/cert.pem
tls cafile =
`

// Samba runs an Active Directory domain controller until the test ends. Its ports
// are fixed, so it has a loopback address of its own, and needs root.
func Samba(t testing.TB) Server {
	t.Helper()
	binary := need(t, "samba", "/usr/sbin/samba")
	if os.Geteuid() != 0 {
		t.Fatal("start samba: it listens at port 389, which only root may")
	}
	dir := folder(t)
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	s := Server{
		Addr: host + ":389", TLSAddr: host + ":636",
		BindDN: "Administrator@example.com", Password: domainPassword, BaseDN: DomainUsers,
	}
	provision := exec.Command("samba-tool", "domain", "provision", "--realm=EXAMPLE.COM", "--domain=EXAMPLE",
		"--server-role=dc", "--dns-backend=NONE", "--adminpass="+domainPassword, "--targetdir="+dir,
		"--host-name=dc1", "--host-ip=127.0.0.1", "--option=interfaces=lo", "--option=bind interfaces only=yes",
		"--option=ldb:nosync=true")
	if out, err := provision.CombinedOutput(); err != nil {
		t.Fatalf("provision samba: %v\n%s", err, out)
	}
	s.CA = certificate(t, dir, host)
	if err := os.Chmod(filepath.Join(dir, "key.pem"), 0o600); err != nil { // or Samba refuses it
		t.Fatal(err)
	}
	conf := strings.NewReplacer("DIR", dir, "ADDRESS", host).Replace(smbConf)
	write(t, dir, filepath.Join("etc", "smb.conf"), conf)
	cmd := exec.Command(binary, "-i", "-M", "single", "--no-process-group", "-s", filepath.Join(dir, "etc", "smb.conf"))
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.Pid = run(t, cmd, s.TLSAddr)
	return s
}
