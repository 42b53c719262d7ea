package ldap

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one directory.
type Config struct {
	URL            string     `config:"url,required" help:"Address of the directory: ldaps://host, or ldap://host with start_tls"`
	Profile        string     `config:"profile" default:"openldap" enum:"openldap,ad" help:"How the directory names things: openldap for any standard LDAP server, ad for Active Directory"`
	StartTLS       bool       `config:"start_tls" default:"true" help:"Encrypt an ldap:// connection before anything is sent; may be false for this machine only, and never for ad"`
	BindDN         string     `config:"bind_dn,required" help:"Name Anteroom signs in with; for ad also user@domain"`
	BindPassword   sdk.Secret `config:"bind_password,required" help:"Password of bind_dn"`
	BaseDN         string     `config:"base_dn,required" help:"Accounts beneath this entry are seen and managed, others never"`
	NewAccountsDN  string     `config:"new_accounts_dn" help:"Entry that new accounts are put into, base_dn or beneath it; base_dn when empty"`
	OwnerAttribute string     `config:"owner_attribute" default:"employeeNumber" help:"Attribute that holds Anteroom's id of the user"`

	LoginAttribute string   `config:"login_attribute" group:"Accounts" order:"10" default:"uid" when:"profile=openldap" help:"Attribute that holds the login; sAMAccountName for ad"`
	NamedBy        string   `config:"named_by" group:"Accounts" order:"10" default:"login" enum:"login,cn" when:"profile=openldap" help:"What new entries are named by; for ad it is always cn"`
	ObjectClasses  []string `config:"object_classes" group:"Accounts" order:"10" default:"inetOrgPerson" when:"profile=openldap" help:"Object classes of new accounts; accounts are known by the first"`

	SuspendBy        string `config:"suspend_by" group:"Suspension" order:"20" default:"ppolicy" enum:"ppolicy,attribute,none" when:"profile=openldap" help:"ppolicy locks with pwdAccountLockedTime; attribute sets one; for ad it is always userAccountControl"`
	SuspendAttribute string `config:"suspend_attribute" group:"Suspension" order:"20" when:"suspend_by=attribute" help:"Attribute that says whether an account is suspended"`
	SuspendValue     string `config:"suspend_value" group:"Suspension" order:"20" when:"suspend_by=attribute" help:"Its value in suspended accounts"`
	ActiveValue      string `config:"active_value" group:"Suspension" order:"20" when:"suspend_by=attribute" help:"Its value in active accounts; the attribute is removed when empty"`

	GroupBaseDN   string `config:"group_base_dn" group:"Groups" order:"30" help:"Groups beneath this entry are managed, others never; without it groups cannot be set"`
	GroupMember   string `config:"group_member" group:"Groups" order:"30" default:"member" enum:"member,uniqueMember,memberUid" when:"profile=openldap" help:"Attribute of a group that names its members"`
	PlaceholderDN string `config:"group_placeholder_dn" group:"Groups" order:"30" when:"profile=openldap" help:"Member put into a group that may not be empty when its last member goes"`

	CACertificates string        `config:"ca_certificates" group:"Details" order:"40" help:"PEM certificates to trust instead of the system's"`
	ServerName     string        `config:"server_name" group:"Details" order:"40" help:"Host name in the directory's certificate, where it is not that of url"`
	Referrals      string        `config:"referrals" group:"Details" order:"40" default:"refuse" enum:"refuse,ignore" help:"What to do when part of base_dn lies on another server: refuse searches, or ignore that part. Referrals are never followed"`
	Connections    int           `config:"connections" group:"Details" order:"40" default:"4" help:"Most connections at once"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"40" default:"10s" help:"Longest time for one request"`
}

// Values of the configuration.
const (
	profileAD          = "ad"
	profileOpenLDAP    = "openldap"
	suspendByPolicy    = "ppolicy"
	suspendByAttribute = "attribute"
	suspendByNone      = "none"
	namedByCN          = "cn"
	namedByLogin       = "login"
	referralsIgnore    = "ignore"
	memberUID          = "memberUid"
)

// Bounds of the configuration.
const (
	maxTimeout     = 5 * time.Minute
	maxConnections = 32
)

// attributeName is an attribute description without options (RFC 4512, 2.5).
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field, message string) {
		if message != "" {
			problems = append(problems, sdk.Problem{Field: field, Message: message})
		}
	}
	add(c.addressProblem())
	add("bind_dn", c.bindProblem())
	if c.BindPassword == "" { // an empty one would bind anonymously (RFC 4513, 5.1.2)
		add("bind_password", "is required")
	}
	c.validateNames(add)
	c.validateSuspension(add)
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		add("timeout", fmt.Sprintf("must be more than 0 and at most %s", maxTimeout))
	}
	if c.Connections < 1 || c.Connections > maxConnections {
		add("connections", fmt.Sprintf("must be between 1 and %d", maxConnections))
	}
	if _, err := c.roots(); err != nil {
		add("ca_certificates", err.Error())
	}
	return problems
}

func (c Config) addressProblem() (field, message string) {
	a, err := parseAddress(c.URL)
	switch {
	case err != nil:
		return "url", err.Error()
	case a.tls || c.StartTLS:
		return "", ""
	case c.Profile == profileAD:
		return "start_tls", "must be true with ldap://: Active Directory takes passwords over encrypted connections alone"
	case !isLoopback(a.host):
		return "start_tls", "must be true with ldap://, because credentials are sent; false is for this machine only"
	}
	return "", ""
}

func (c Config) bindProblem() string {
	upn := c.Profile == profileAD && strings.ContainsAny(c.BindDN, `@\`) && !strings.Contains(c.BindDN, "=")
	if upn {
		return ""
	}
	return dnProblem(c.BindDN)
}

func (c Config) validateNames(add func(field, message string)) {
	add("base_dn", dnProblem(c.BaseDN))
	if c.NewAccountsDN != "" {
		add("new_accounts_dn", dnProblem(c.NewAccountsDN))
		if !within(c.NewAccountsDN, c.BaseDN) {
			add("new_accounts_dn", "must be base_dn or an entry beneath it")
		}
	}
	if c.GroupBaseDN != "" {
		add("group_base_dn", dnProblem(c.GroupBaseDN))
	}
	if c.PlaceholderDN != "" {
		add("group_placeholder_dn", dnProblem(c.PlaceholderDN))
	}
	if !attributeName.MatchString(c.OwnerAttribute) {
		add("owner_attribute", "must be the name of an attribute, such as employeeNumber")
	}
	if c.Profile == profileAD {
		return
	}
	if !attributeName.MatchString(c.LoginAttribute) {
		add("login_attribute", "must be the name of an attribute, such as uid")
	}
	if strings.EqualFold(c.LoginAttribute, c.OwnerAttribute) {
		add("owner_attribute", "must not be the attribute of the login: a login can change")
	}
	for _, class := range c.ObjectClasses {
		if !attributeName.MatchString(class) {
			add("object_classes", "must be names of object classes, such as inetOrgPerson")
		}
	}
	if len(c.ObjectClasses) == 0 {
		add("object_classes", "must name at least one object class")
	}
}

func (c Config) validateSuspension(add func(field, message string)) {
	if c.Profile == profileAD || c.SuspendBy != suspendByAttribute {
		return
	}
	if !attributeName.MatchString(c.SuspendAttribute) {
		add("suspend_attribute", "must be the name of an attribute when suspend_by is attribute")
	}
	if c.SuspendValue == "" {
		add("suspend_value", "is required when suspend_by is attribute")
	} else if c.SuspendValue == c.ActiveValue {
		add("active_value", "must differ from suspend_value")
	}
}

// dnProblem says what is wrong with a distinguished name, "" if nothing.
func dnProblem(text string) string {
	dn, err := goldap.ParseDN(text)
	if err != nil || len(dn.RDNs) == 0 {
		return "must be a distinguished name, such as ou=people,dc=example,dc=com"
	}
	return ""
}

// within reports whether a name is base or beneath it.
func within(name, base string) bool {
	inner, err := goldap.ParseDN(name)
	outer, outerErr := goldap.ParseDN(base)
	if err != nil || outerErr != nil {
		return false
	}
	return outer.EqualFold(inner) || outer.AncestorOfFold(inner)
}

// address is a parsed URL.
type address struct {
	host string
	port string
	tls  bool // from the first byte
}

// parseAddress reads a URL. The errors are for the person who typed it and do
// not repeat it: it may hold a password.
func parseAddress(text string) (address, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Hostname() == "" {
		return address{}, fmt.Errorf("must be an address such as ldaps://directory.example.com")
	}
	a := address{host: u.Hostname(), port: u.Port(), tls: u.Scheme == "ldaps"}
	switch {
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return address{}, fmt.Errorf("must start with ldaps:// or ldap://")
	case u.User != nil:
		return address{}, fmt.Errorf("must not contain a user name or password")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return address{}, fmt.Errorf("must end after the host and port")
	}
	if a.port == "" {
		a.port = map[bool]string{true: "636", false: "389"}[a.tls]
	}
	if n, err := strconv.Atoi(a.port); err != nil || n < 1 || n > 65535 {
		return address{}, fmt.Errorf("must have a port between 1 and 65535")
	}
	return a, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// roots returns the certificates to trust, nil for the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if strings.TrimSpace(c.CACertificates) == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(c.CACertificates)) {
		return nil, fmt.Errorf("must hold at least one PEM certificate")
	}
	return pool, nil
}
