package wso2_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/wso2"
	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

func load(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func imported(t *testing.T, name string) wso2.Result {
	t.Helper()
	result, err := wso2.Import(load(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTargets(t *testing.T) {
	held := true
	for name, want := range map[string][]resources.Target{
		"provider.json": {
			{
				Name: "example-directory-scim2", Connector: "scim2", Config: map[string]any{"auth": "bearer", "base_url": "https://scim.example.com/scim2"},
				Secrets: map[string]resources.SecretRef{"token": {Env: "EXAMPLE_DIRECTORY_SCIM2_TOKEN"}},
			},
			{
				Name: "example-directory-salesforce", Connector: "salesforce", Maintenance: &held,
				Config:  map[string]any{"auth": "client_credentials", "login_url": "https://example.my.salesforce.com", "client_id": "consumer-key"},
				Secrets: map[string]resources.SecretRef{"client_secret": {Env: "EXAMPLE_DIRECTORY_SALESFORCE_CLIENT_SECRET"}},
				Mapping: []resources.Mapping{
					{Attribute: "Username", Expression: "['PRIMARY', user.login].join('_').lower()", Apply: "on_create"},
					{Attribute: "LastName", Source: "user.family_name"}, {Attribute: "FirstName", Source: "user.given_name"}, {Attribute: "Email", Source: "user.email"},
				},
			},
		},
		"provider.xml": {{
			Name: "google-friends-googleapps", Connector: "google", Config: map[string]any{"subject": "admin@example.com"},
			Secrets: map[string]resources.SecretRef{"credentials": {Env: "GOOGLE_FRIENDS_GOOGLEAPPS_CREDENTIALS"}},
			Mapping: []resources.Mapping{
				{Attribute: "primaryEmail", Expression: "user.login.lower().endsWith('@example.com') ? user.login.lower() : user.login.lower().replace('@', '.') + '@example.com'", Apply: "on_create"},
				{Attribute: "name.givenName", Source: "user.given_name"}, {Attribute: "name.familyName", Source: "user.family_name"},
			},
		}},
		"soap.xml": {{
			Name: "scim", Connector: "scim1", Config: map[string]any{"auth": "basic", "username": "testuser", "base_url": "https://old.example.com/wso2/scim"},
			Secrets: map[string]resources.SecretRef{"password": {Env: "SCIM_PASSWORD"}},
		}},
	} {
		result := imported(t, name)
		if diff := cmp.Diff(want, result.Document.Targets); diff != "" {
			t.Errorf("%s: targets (-want +got):\n%s", name, diff)
		}
		if problems := result.Document.Check(); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		text, err := result.Document.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := resources.Parse(text)
		if diff := cmp.Diff(result.Document, back); err != nil || diff != "" {
			t.Errorf("%s: apply would read something else: %v\n%s", name, err, diff)
		}
	}
}

// TestEveryKeyIsReported wants a line for each key, and no secret in any.
func TestEveryKeyIsReported(t *testing.T) {
	for name, want := range map[string][]string{
		"provider.json": {
			"scim2-authentication-mode carried over config.auth", "scim2-username not needed ", "scim2-access-token carried over secrets.token",
			"scim2-user-ep carried over config.base_url", "scim2-group-ep not needed ", "scim2-user-store-domain not needed ",
			"scim2-enable-pwd-provisioning not needed ", "scim2-default-pwd not needed ", "scim2-custom needs your decision ",
			"connectorId not needed ", "isEnabled not needed ", "isDefault not needed ", "blockingEnabled needs your decision ", "rulesEnabled not needed ",
			"sf-api-version not needed ", "sf-domain-name carried over config.login_url", "sf-clientid carried over config.client_id",
			"sf-client-secret carried over secrets.client_secret", "sf-usePasswordGrant needs your decision ", "sf-username not needed ",
			"sf-password not needed ", "sf-prov-pattern needs your decision mapping.Username", "- needs your decision config.profile",
			"connectorId not needed ", "isEnabled carried over maintenance",
			"id not needed ", "description not needed ", "isEnabled not needed ", "isPrimary not needed ", "jit needs your decision ",
			"roles needs your decision ", "federatedAuthenticators not needed ", "novelty needs your decision ",
		},
		"provider.xml": {
			"google_prov_domain_name carried over mapping.primaryEmail", "google_prov_admin_email carried over config.subject", "google_prov_service_acc_email not needed ",
			"google_prov_private_key needs your decision secrets.credentials", "google_prov_pattern carried over mapping.primaryEmail",
			"IsEnabled not needed ", "IsBlocking needs your decision ", "spml needs your decision ", "Alias not needed ", "JustInTimeProvisioningConfig needs your decision ",
		},
		"soap.xml": {
			"scim-username carried over config.username", "scim-password carried over secrets.password", "scim-user-ep carried over config.base_url",
			"scim-group-ep needs your decision ", "enabled not needed ",
		},
	} {
		result := imported(t, name)
		var got []string
		for _, l := range result.Report {
			to, _, _ := strings.Cut(l.To, " ")
			got = append(got, fmt.Sprintf("%s %s %s", l.Key, l.Verdict, to))
			if l.Verdict != wso2.Carried && l.Note == "" {
				t.Errorf("%s: no reason is given for %s", name, l.Key)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: report (-want +got):\n%s", name, diff)
		}
		all, err := json.Marshal(result)
		text, errYAML := result.Document.YAML()
		if err != nil || errYAML != nil || strings.Contains(string(all)+string(text), "hunter2") || strings.Contains(string(all), "aHVudGVyMi1rZXk") {
			t.Errorf("%s: a secret is in the result: %s", name, all)
		}
	}
}

func TestValuesThatNeedADecision(t *testing.T) {
	for key, value := range map[string]string{
		"scim2-authentication-mode": "kerberos", "scim2-user-ep": "https://scim.example.com/v2/People", "scim2-user-store-domain": "LDAP", "scim2-username": "",
	} {
		file := fmt.Sprintf(`{"name": "SCIM2", "properties": [{"key": %q, "value": %q}]}`, key, value)
		result, err := wso2.Import([]byte(file))
		if err != nil || result.Report[0].Verdict != wso2.Decide || result.Document.Targets[0].Config[key] != nil {
			t.Errorf("%s = %q: %+v, %v", key, value, result, err)
		}
	}
	// An address may hold a password.
	result, err := wso2.Import([]byte(`{"name": "SCIM2", "properties": [{"key": "scim2-user-ep", "value": "https://u:hunter2@example.com/Users"}]}`))
	if err != nil || strings.Contains(fmt.Sprintf("%+v", result), "hunter2") {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	connector := `{"name": "SCIM2", "properties": []}`
	for file, want := range map[string]string{
		"":                "neither JSON nor XML",
		"targets: []":     "neither JSON nor XML",
		"{":               "cannot be read",
		`{"a": [1,`:       "cannot be read",
		connector + "{}":  "something comes after",
		`{"name": "IdP"}`: "no outbound provisioning connector",
		`{"name": "SCIM2", "properties": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}`: "twice",
		strings.Repeat(`{"a":`, 100):                      "too deep",
		`{"a": ` + strings.Repeat("[", 60000):             "too many",
		"{\"a\": [" + strings.Repeat("1,", 60000) + "1]}": "too many parts",
		strings.Repeat(" ", 5<<20):                        "larger than",
		"<a>":                                             "not well-formed",
		"<a></b>":                                         "not well-formed",
		"<a/><b/>":                                        "two root elements",
		"<!-- nothing -->":                                "no root element",
		strings.Repeat("<a>", 100):                        "too deep",
		`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`: "document type",
		"<a>&x;</a>":                                 "not well-formed",
		`<?xml-stylesheet href="x"?><a/>`:            "processing instructions",
		`<?xml version="1.0" encoding="UTF-7"?><a/>`: "not well-formed",
	} {
		if _, err := wso2.Import([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", file, err, want)
		}
	}
}

// TestTheTableNamesFieldsThatExist holds the table to the connectors.
func TestTheTableNamesFieldsThatExist(t *testing.T) {
	connectors := map[string]sdk.Connector{
		"SCIM2": scim2.Connector(), "scim": scim2.OldConnector(), "googleapps": google.Connector(), "salesforce": salesforce.Connector(),
	}
	for _, row := range wso2.Table() {
		if (row.Verdict == wso2.Carried) && row.Field+row.Attribute == "" || row.Verdict != wso2.Carried && row.Note == "" {
			t.Errorf("%s says too little: %+v", row.Key, row)
		}
		if row.Field == "" {
			continue
		}
		fields := connectors[row.Connector].Describe().Config
		i := slices.IndexFunc(fields, func(f sdk.Field) bool { return f.Name == row.Field })
		if i < 0 || fields[i].Secret != row.Secret {
			t.Errorf("%s: the connector %s has no field %s, secret %v", row.Key, row.Connector, row.Field, row.Secret)
		}
	}
}

// FuzzImport wants no panic, and targets that apply would read.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"provider.json", "provider.xml", "soap.xml"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		result, err := wso2.Import(raw)
		if err != nil {
			return
		}
		text, err := result.Document.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := resources.Parse(text); err != nil || len(back.Check()) > 0 {
			t.Errorf("%q gives a file that apply does not read: %v %v\n%s", raw, err, back.Check(), text)
		}
	})
}
