package ldap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestValidate(t *testing.T) {
	good := ldap.Config{
		URL: "ldaps://directory.example.com", Profile: "openldap", StartTLS: true, BindDN: "cn=manager,dc=example,dc=com", BindPassword: "canary",
		BaseDN: "ou=people,dc=example,dc=com", OwnerAttribute: "employeeNumber", LoginAttribute: "uid", NamedBy: "login",
		ObjectClasses: []string{"inetOrgPerson"}, SuspendBy: "ppolicy", GroupMember: "member", Referrals: "refuse", Connections: 4, Timeout: time.Second,
	}
	ad := func(c *ldap.Config) {
		c.Profile, c.LoginAttribute, c.NamedBy, c.ObjectClasses, c.SuspendBy, c.GroupMember = "ad", "", "", nil, "", ""
	}
	tests := map[string]struct {
		change func(*ldap.Config)
		want   []string // fields
	}{
		"good":                        {func(*ldap.Config) {}, nil},
		"ad":                          {ad, nil},
		"ad, by principal name":       {func(c *ldap.Config) { ad(c); c.BindDN = "svc@example.com" }, nil},
		"ad, by down-level name":      {func(c *ldap.Config) { ad(c); c.BindDN = `EXAMPLE\svc` }, nil},
		"StartTLS":                    {func(c *ldap.Config) { c.URL = "ldap://directory.example.com" }, nil},
		"plain":                       {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://directory.example.com", false }, []string{"start_tls"}},
		"plain, an address":           {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://10.0.0.1", false }, []string{"start_tls"}},
		"plain, this machine":         {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://127.0.0.1:1389", false }, nil},
		"plain, this machine, v6":     {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://[::1]:1389", false }, nil},
		"plain, looks local":          {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://localhost.example.com", false }, []string{"start_tls"}},
		"ad, plain, this machine":     {func(c *ldap.Config) { ad(c); c.URL, c.StartTLS = "ldap://127.0.0.1", false }, []string{"start_tls"}},
		"no address":                  {func(c *ldap.Config) { c.URL = "directory.example.com" }, []string{"url"}},
		"another protocol":            {func(c *ldap.Config) { c.URL = "https://directory.example.com" }, []string{"url"}},
		"a socket":                    {func(c *ldap.Config) { c.URL = "ldapi:///" }, []string{"url"}},
		"a password in the address":   {func(c *ldap.Config) { c.URL = "ldaps://ada:canary-password@directory.example.com" }, []string{"url"}},
		"a path":                      {func(c *ldap.Config) { c.URL = "ldaps://directory.example.com/dc=example" }, []string{"url"}},
		"no port":                     {func(c *ldap.Config) { c.URL = "ldaps://directory.example.com:0" }, []string{"url"}},
		"no names":                    {func(c *ldap.Config) { c.BindDN, c.BaseDN = "manager", "people" }, []string{"bind_dn", "base_dn"}},
		"principal name of openldap":  {func(c *ldap.Config) { c.BindDN = "svc@example.com" }, []string{"bind_dn"}},
		"no password":                 {func(c *ldap.Config) { c.BindPassword = "" }, []string{"bind_password"}},
		"new accounts beside":         {func(c *ldap.Config) { c.NewAccountsDN = "ou=other,dc=example,dc=com" }, []string{"new_accounts_dn"}},
		"new accounts beneath":        {func(c *ldap.Config) { c.NewAccountsDN = "ou=new, OU=People,dc=example,dc=com" }, nil},
		"names of groups":             {func(c *ldap.Config) { c.GroupBaseDN, c.PlaceholderDN = "x", "y" }, []string{"group_base_dn", "group_placeholder_dn"}},
		"attributes that are filters": {func(c *ldap.Config) { c.OwnerAttribute, c.LoginAttribute = "a)(b", "uid;x" }, []string{"owner_attribute", "login_attribute"}},
		"one attribute for both":      {func(c *ldap.Config) { c.OwnerAttribute = "UID" }, []string{"owner_attribute"}},
		"no classes":                  {func(c *ldap.Config) { c.ObjectClasses = nil }, []string{"object_classes"}},
		"a class that is a filter":    {func(c *ldap.Config) { c.ObjectClasses = []string{"*)(x"} }, []string{"object_classes"}},
		"an attribute without values": {func(c *ldap.Config) { c.SuspendBy = "attribute" }, []string{"suspend_attribute", "suspend_value"}},
		"one value for both": {func(c *ldap.Config) {
			c.SuspendBy, c.SuspendAttribute, c.SuspendValue, c.ActiveValue = "attribute", "employeeType", "x", "x"
		}, []string{"active_value"}},
		"times":        {func(c *ldap.Config) { c.Timeout = time.Hour }, []string{"timeout"}},
		"connections":  {func(c *ldap.Config) { c.Connections = 0 }, []string{"connections"}},
		"certificates": {func(c *ldap.Config) { c.CACertificates = "-----BEGIN" }, []string{"ca_certificates"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			var got []string
			for _, p := range cfg.Validate() {
				got = append(got, p.Field)
				if strings.Contains(p.Message, "canary-password") {
					t.Errorf("the message repeats the address: %s", p.Message)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			_, err := ldap.Open(t.Context(), cfg)
			if field := ""; len(test.want) > 0 {
				field = test.want[0]
				wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, field)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDefaults opens what the form gives when only the required fields are
// filled in.
func TestDefaults(t *testing.T) {
	for _, profile := range []string{"openldap", "ad"} {
		cfg := sdk.RawConfig{
			Values: []byte(`{"url": "ldaps://directory.example.com", "profile": "` + profile + `",
				"bind_dn": "cn=manager,dc=example,dc=com", "base_dn": "dc=example,dc=com"}`),
			Secrets: map[string]sdk.Secret{"bind_password": "canary"},
		}
		if problems := ldap.Connector().Validate(cfg); len(problems) > 0 {
			t.Errorf("%s: %v", profile, problems)
		}
	}
}

func TestChangesAreChecked(t *testing.T) {
	cfg := startFake(t, &fake{}).to() // never reached
	ad := cfg
	ad.Profile, ad.StartTLS = "ad", true
	for name, test := range map[string]struct {
		cfg        ldap.Config
		attributes sdk.Attributes
		field      string
	}{
		"unknown":        {cfg, sdk.Attributes{"login": "ada", "shoeSize": "38"}, "shoeSize"},
		"a number":       {cfg, sdk.Attributes{"login": "ada", "uidNumber": 5.0}, "uidNumber"},
		"a list":         {cfg, sdk.Attributes{"login": "ada", "mail": []any{"a@example.com"}}, "mail"},
		"of the other":   {cfg, sdk.Attributes{"login": "ada", "principal": "ada@example.com"}, "principal"},
		"not UTF-8":      {cfg, sdk.Attributes{"login": "ad\xff"}, "login"},
		"a null":         {cfg, sdk.Attributes{"login": "ad\x00a"}, "login"},
		"no login":       {cfg, sdk.Attributes{"owner": "user-ada"}, "login"},
		"ad, too long":   {ad, sdk.Attributes{"login": strings.Repeat("x", 21)}, "login"},
		"ad, characters": {ad, sdk.Attributes{"login": "a,b"}, "login"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, test.cfg).Create(t.Context(), sdk.CreateRequest{Attributes: test.attributes, Active: true})
			wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, test.field)
		})
	}
	_, err := open(t, cfg).Lookup(t.Context(), sdk.LookupRequest{Key: "principal", Value: "ada@example.com"})
	wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "principal")
	_, err = open(t, cfg).Lookup(t.Context(), sdk.LookupRequest{Key: "mail", Value: "ada@example.com"})
	wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "mail")
}
