package wso2

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/resources"
)

// target is a target that is being made of a connector.
type target struct {
	resources.Target
	connector       connector
	rules, blocking bool // its switches
	login           Line // what became of the pattern of logins; see makeLogin
	lines           []Line
}

func (t *target) line(l Line) {
	l.Target = t.Name
	t.lines = append(t.lines, l)
}

// property decides on one key and its value.
func (t *target) property(p property) {
	if line, ok := t.ofPattern(p.key); ok {
		t.line(line)
		return
	}
	i := slices.IndexFunc(Table(), func(r Row) bool { return r.Connector == t.connector.kind && r.Key == p.key })
	if i < 0 {
		t.line(Line{Key: show(p.key), Verdict: Decide, Note: "this key is not known; its value is not shown"})
		return
	}
	row := Table()[i]
	verdict, value, note := row.Verdict, p.value, row.Note
	if judge := values()[p.key]; judge != nil {
		verdict, value, note = judge(t.connector, row, p.value)
	}
	line := Line{Key: p.key, Verdict: verdict, Note: note}
	switch {
	case row.Secret && row.Field != "" && verdict != NotNeeded:
		ref := resources.SecretRef{Env: t.env(row.Field)}
		t.Secrets[row.Field] = ref
		line.To = "secrets." + row.Field + " (from the environment: " + ref.Env + ")"
	case verdict == Carried:
		t.Config[row.Field] = value
		line.To = "config." + row.Field
	}
	t.line(line)
}

// env is the environment variable for a secret.
func (t *target) env(field string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(t.Name + "_" + field))
}

// settle adds what the connector needs and WSO2 has no key for.
func (t *target) settle() {
	switch t.Target.Connector {
	case "scim2", "scim1":
		if t.Config["auth"] == nil {
			t.Config["auth"] = "basic"
		}
	case "google":
		if _, given := t.Secrets["credentials"]; !given {
			t.Secrets["credentials"] = resources.SecretRef{Env: t.env("credentials")}
		}
	case "salesforce":
		t.Config["auth"] = "client_credentials"
		t.line(Line{Key: "-", Verdict: Decide, To: "config.profile", Note: "is required: the profile of new accounts, which was the claim ProfileId in WSO2"})
	}
	if len(t.Secrets) == 0 {
		t.Secrets = nil
	}
}

// option decides on what a connector has beside its properties.
func (t *target) option(o *node) {
	line := Line{Key: show(o.name), Verdict: NotNeeded, Note: "it has no meaning in Anteroom"}
	on := strings.EqualFold(strings.TrimSpace(o.text), "true")
	switch {
	case o.is("IsEnabled", "enabled"):
		line.Note = "a target is in use as soon as a binding names it"
		if !on {
			held := true
			t.Maintenance = &held
			line.Verdict, line.To, line.Note = Carried, "maintenance", "the connector was switched off: the target holds up all work until maintenance is off"
		}
	case o.is("IsBlocking", "blocking", "blockingEnabled"):
		t.blocking = on
		line.Verdict, line.Note = Decide, "set it on the bindings: blocking: "+text(on)+"; in Anteroom a blocking failure ends the sign-in"
	case isRulesFlag(o):
		t.rules = on
		line.Note = "rules were off, as they are on a binding that does not enable them"
		if on {
			line.Verdict, line.Note = Decide, "no policy that was given is about it: give its policies with --policy, or write a rule set, and set enable_rules on the bindings"
		}
	case o.is("IsDefault", "connectorId", "valid", "self"):
	default:
		line.Verdict, line.Note = Decide, "this part is not known"
	}
	t.line(line)
}

func text(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// judge decides on a key by its value.
type judge func(c connector, row Row, value string) (Verdict, string, string)

// values are the keys whose value matters.
func values() map[string]judge {
	out := map[string]judge{
		"scim2-authentication-mode": authMode,
		"scim2-user-ep":             userEndpoint, "scim-user-ep": userEndpoint,
		"scim2-group-ep": groupEndpoint, "scim-group-ep": groupEndpoint,
		"scim2-user-store-domain": unless("", "PRIMARY"), "scim-user-store-domain": unless("", "PRIMARY"),
		"scim2-username": inMode("basic"), "scim2-password": inMode("basic"),
		"scim2-access-token": inMode("bearer"), "scim2-api-key-header": inMode("apiKey"), "scim2-api-key-value": inMode("apiKey"),
		"google_prov_givenname_claim_dropdown":  unless("", "http://wso2.org/claims/givenname"),
		"google_prov_familyname_claim_dropdown": unless("", "http://wso2.org/claims/lastname"),
		"sf-usePasswordGrant":                   unless("false"),
		"sf-api-version":                        apiVersion,
		"sf-domain-name":                        address,
	}
	return out
}

// unless is for keys that are not needed with these values.
func unless(harmless ...string) judge {
	return func(_ connector, row Row, value string) (Verdict, string, string) {
		if slices.ContainsFunc(harmless, func(h string) bool { return strings.EqualFold(h, value) }) {
			return row.Verdict, value, row.Note
		}
		return Decide, value, row.Note
	}
}

// inMode is for keys that one way of authentication needs.
func inMode(mode string) judge {
	return func(c connector, row Row, value string) (Verdict, string, string) {
		now := cmp.Or(c.value("scim2-authentication-mode"), "basic")
		switch {
		case !strings.EqualFold(now, mode):
			return NotNeeded, value, "only " + row.Note
		case value == "" && !row.Secret:
			return Decide, value, row.Note + ", and it is empty"
		}
		return row.Verdict, value, row.Note
	}
}

func authMode(_ connector, row Row, value string) (Verdict, string, string) {
	ours := map[string]string{"": "basic", "basic": "basic", "bearer": "bearer", "apikey": "api_key", "none": "none"}[strings.ToLower(value)]
	if ours == "" {
		return Decide, "", "this way of authentication is not known"
	}
	return row.Verdict, ours, row.Note
}

func userEndpoint(_ connector, row Row, value string) (Verdict, string, string) {
	base, ok := strings.CutSuffix(strings.TrimRight(value, "/"), "/Users")
	if !ok || !plainAddress(base) {
		return Decide, "", "it is no https address that ends in /Users; set base_url to what comes before"
	}
	return row.Verdict, base, row.Note
}

func groupEndpoint(c connector, row Row, value string) (Verdict, string, string) {
	users := cmp.Or(c.value("scim2-user-ep"), c.value("scim-user-ep"))
	base := strings.TrimSuffix(strings.TrimRight(users, "/"), "/Users")
	if value == "" || strings.TrimRight(value, "/") == base+"/Groups" {
		return row.Verdict, value, row.Note
	}
	return Decide, value, "it does not lie beside the users: " + row.Note
}

var versionNumber = regexp.MustCompile(`^v?(4[6-9]|[5-9][0-9])\.0$`)

func apiVersion(_ connector, row Row, value string) (Verdict, string, string) {
	if !versionNumber.MatchString(value) {
		return NotNeeded, "", "it is too old or no version: the default is taken"
	}
	return row.Verdict, strings.TrimPrefix(value, "v"), row.Note
}

func address(_ connector, row Row, value string) (Verdict, string, string) {
	if !plainAddress(value) {
		return Decide, "", "it is no https address; set login_url to the org's My Domain"
	}
	return row.Verdict, strings.TrimRight(value, "/"), row.Note
}

// plainAddress wants an address that can be shown: one with a password cannot.
func plainAddress(text string) bool {
	u, err := url.Parse(text)
	local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && local)
}
