package ldapservers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Names in the directory that [Slapd] starts.
const (
	Suffix      = "dc=example,dc=com"
	People      = "ou=people," + Suffix
	Groups      = "ou=groups," + Suffix
	Manager     = "cn=manager,ou=services," + Suffix // may write beneath People and Groups
	Reader      = "cn=reader,ou=services," + Suffix  // may only read
	Placeholder = "cn=nobody,ou=services," + Suffix
	// Root is above all rules.
	Root = "cn=root," + Suffix
	// Password is that of all of them.
	Password = "canary-password-of-the-directory"
)

// Server is a running directory.
type Server struct {
	Addr     string // plain, with StartTLS: host and port
	TLSAddr  string // TLS from the first byte
	CA       string // the certificate to trust, PEM
	BindDN   string
	Password string
	BaseDN   string
	Pid      int
}

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload unique
pidfile DIR/pid
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
sizelimit 500
database mdb
suffix "dc=example,dc=com"
rootdn "cn=root,dc=example,dc=com"
rootpw canary-password-of-the-directory
directory DIR/db
maxsize 67108864
dbnosync
index entryUUID,uid,mail,employeeNumber,member,memberUid eq
limits dn.exact="cn=manager,ou=services,dc=example,dc=com" size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=people,dc=example,dc=com"
  by dn.exact="cn=manager,ou=services,dc=example,dc=com" manage
  by dn.exact="cn=reader,ou=services,dc=example,dc=com" read
access to dn.subtree="ou=groups,dc=example,dc=com"
  by dn.exact="cn=manager,ou=services,dc=example,dc=com" write
  by dn.exact="cn=reader,ou=services,dc=example,dc=com" read
access to * by users read
overlay ppolicy
ppolicy_default "cn=default,ou=policies,dc=example,dc=com"
overlay unique
unique_uri "ldap:///ou=people,dc=example,dc=com?mail,uid,employeeNumber?sub?"
`

// slapdEntries is what the directory starts with: services, two groups of names,
// one of logins, and one of each that is in the way.
const slapdEntries = `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: ou=services,dc=example,dc=com
objectClass: organizationalUnit
ou: services

dn: ou=policies,dc=example,dc=com
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,dc=example,dc=com
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE

dn: cn=manager,ou=services,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: manager
userPassword: canary-password-of-the-directory

dn: cn=reader,ou=services,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: canary-password-of-the-directory

dn: cn=nobody,ou=services,dc=example,dc=com
objectClass: organizationalRole
cn: nobody

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: cn=nobody,ou=services,dc=example,dc=com

dn: cn=sales,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: sales
member: cn=nobody,ou=services,dc=example,dc=com

dn: cn=shell,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: shell
gidNumber: 5000

dn: cn=wheel,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: wheel
gidNumber: 5001
`

// Slapd runs OpenLDAP until the test ends, with [People] and [Groups] empty of
// people.
func Slapd(t testing.TB) Server {
	t.Helper()
	binary := need(t, "slapd", "/usr/sbin/slapd")
	dir := folder(t)
	attr := unprivileged(t)
	s := Server{Addr: freeAddr(t), TLSAddr: freeAddr(t), BindDN: Manager, Password: Password, BaseDN: People}
	s.CA = certificate(t, dir, "127.0.0.1")
	write(t, dir, "slapd.conf", strings.ReplaceAll(slapdConf, "DIR", dir))
	write(t, dir, "entries.ldif", slapdEntries)
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatalf("start slapd: %v", err)
	}
	own(t, dir, attr)
	load := exec.Command(filepath.Join(filepath.Dir(binary), "slapadd"), "-q", "-f", "slapd.conf", "-l", "entries.ldif")
	load.Dir, load.SysProcAttr = dir, attr
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("load slapd: %v\n%s", err, out)
	}
	listen := fmt.Sprintf("ldap://%s ldaps://%s", s.Addr, s.TLSAddr)
	cmd := exec.Command(binary, "-f", "slapd.conf", "-h", listen, "-d", "0")
	cmd.Dir, cmd.SysProcAttr = dir, attr
	s.Pid = run(t, cmd, s.Addr)
	return s
}

// freeAddr is an address on the loopback interface that nobody listens at.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
