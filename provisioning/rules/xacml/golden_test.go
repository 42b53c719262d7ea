package xacml

import (
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// templates are the columns of the table, WSO2's five and its sample.
var templates = []string{
	"provisioning_role_based_policy_template", "provisioning_time_based_policy_template",
	"provisioning_user_claim_based_policy_template", "provisioning_time_and_role_based_policy_template",
	"provisioning_time_and_user_claim_based_policy_template", "sample-provisioning-policy",
}

// filled are the values in place of the templates' words.
var filled = strings.NewReplacer(
	">SP_NAME<", ">travelocity<", ">IDP_NAME<", ">SalesforceIdP<",
	">ROLE_1<", ">finance<", ">ROLE_2<", ">hr<", ">Internal/ROLE_1<", ">Internal/finance<", ">Internal/ROLE_2<", ">Internal/hr<",
	`"CLAIM_URI_1"`, `"http://wso2.org/claims/country"`, ">CLAIM_VALUE_1<", ">LK<",
	`"CLAIM_URI_2"`, `"http://wso2.org/claims/organization"`, ">CLAIM_VALUE_2<", ">ACME<",
)

var nine = time.Date(2026, 3, 2, 9, 2, 0, 0, time.UTC)

// golden is a row: what is asked, and what WSO2's own engine decided for each
// column (Permit, Deny, Indeterminate, NotApplicable).
type golden struct {
	name, operation, app  string
	groups, roles         []string
	country, organization string
	want                  string // P D I N
	ours                  string // where our vocabulary differs on purpose; "-" is never asked
	because               string
}

// never marks a row that our rules are never asked.
const never = "-"

var goldenRows = []golden{
	{name: "POST groups finance", operation: "POST", groups: []string{"finance"}, want: "PPIPID"},
	{name: "POST groups admin, finance", operation: "POST", groups: []string{"admin", "finance"}, want: "PPIPIP"},
	{name: "POST groups sales", operation: "POST", groups: []string{"sales"}, want: "DPIDID"},
	{name: "POST no group", operation: "POST", want: "IPIIII"},
	{name: "PUT roles Internal/finance", operation: "PUT", roles: []string{"finance"}, want: "PPIPID"},
	{name: "PUT roles absent", operation: "PUT", want: "IPIIID"},
	{name: "PATCH roles Internal/finance", operation: "PATCH", roles: []string{"finance"}, want: "DPDDDD",
		ours: never, because: "an update is always PUT: the whole profile is compared"},
	{name: "DELETE", operation: "DELETE", want: "DPDDDD",
		ours: never, because: "taking away is never asked about, so no rule can block it"},
	{name: "POST LK + ACME", operation: "POST", groups: []string{"sales"}, country: "LK", organization: "ACME", want: "DPPDPD"},
	{name: "POST LK + ACME, Inc", operation: "POST", groups: []string{"sales"}, country: "LK", organization: "ACME, Inc", want: "DPIDID",
		ours: "DPDDDD", because: "a value is never split at its comma: it is one value, and another one"},
	{name: "PUT LK only", operation: "PUT", country: "LK", want: "IPIIID"},
	{name: "other application", operation: "POST", app: "other", groups: []string{"admin"}, want: "NNNNNP"},
}

func TestGoldenTableOfWSO2(t *testing.T) {
	sets := goldenSets(t)
	for _, row := range goldenRows {
		for i, set := range sets {
			got := initial(set.DecideContext(row.asWSO2(), nine))
			if want := row.want[i : i+1]; got != want {
				t.Errorf("as WSO2 asks: %s, %s = %s, want %s", row.name, templates[i], got, want)
			}
			want := row.want[i : i+1]
			if row.ours == never {
				continue
			}
			if row.ours != "" {
				want = row.ours[i : i+1]
			}
			r := set.Decide(row.asOurs())
			explained(t, set, &vocabulary{request: row.asOurs(), options: set.options}, nine, r)
			if got := initial(r); got != want {
				t.Errorf("as we ask: %s, %s = %s, want %s (%+v)", row.name, templates[i], got, want, r.Status)
			}
		}
	}
}

// TestGoldenDeviations holds that what we do otherwise is what is marked.
func TestGoldenDeviations(t *testing.T) {
	for _, row := range goldenRows {
		if (row.ours != "") != (row.because != "") {
			t.Errorf("%s: a deviation without a reason, or a reason without one", row.name)
		}
		inexpressible := row.operation != "POST" && row.operation != "PUT"
		if inexpressible != (row.ours == never) {
			t.Errorf("%s: operation %s and deviation %q", row.name, row.operation, row.ours)
		}
	}
	for o, want := range map[rules.Operation]string{rules.OperationCreate: "POST", rules.OperationUpdate: "PUT", "delete": "", "patch": "", "": ""} {
		if got := method(o); got != want {
			t.Errorf("operation %q is given to policies as %q, want %q", o, got, want)
		}
	}
}

// TestTimeIsTheEvaluators holds that a time in the request of WSO2, a string, does
// not count where a policy asks for a time.
func TestTimeIsTheEvaluators(t *testing.T) {
	doc := goldenSource(t, readArchive(t, "wso2-xacml-templates.tar.gz"), templates[1])
	doc = strings.NewReplacer("09:00:00<", "01:00:00<", "17:00:00<", "05:00:00<").Replace(doc)
	set, err := Compile(Options{WSO2: true}, Document{XML: []byte(doc)})
	if err != nil {
		t.Fatal(err)
	}
	c := goldenRows[0].asWSO2()
	c.add(categoryEnvironment, environment+"current-time", "03:04:05")
	if got := set.DecideContext(c, nine); got.Decision != rules.Deny || got.Rule != "deny_others" {
		t.Errorf("at 09:02 = %v by rule %q, want Deny by deny_others", got.Decision, got.Rule)
	}
	if got := set.DecideContext(c, nine.Add(-6*time.Hour)); got.Decision != rules.Permit {
		t.Errorf("at 03:02 = %v, want Permit", got.Decision)
	}
}

func initial(r rules.Result) string { return r.Decision.String()[:1] }

func goldenSource(t testing.TB, files map[string][]byte, name string) string {
	t.Helper()
	for file, b := range files {
		if strings.HasSuffix(file, "/"+name+".xml") {
			return filled.Replace(string(b))
		}
	}
	t.Fatalf("no template %s", name)
	return ""
}

func goldenSets(t testing.TB) []*Set {
	t.Helper()
	files := readArchive(t, "wso2-xacml-templates.tar.gz")
	var out []*Set
	for _, name := range templates {
		set, err := Compile(Options{WSO2: true}, Document{Name: name, XML: []byte(goldenSource(t, files, name))})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, set)
	}
	return out
}

// add is how WSO2 fills a request: every value is split at its commas.
func (c *Context) add(category, id string, values ...string) {
	a := contextAttribute{category: category, id: id}
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			a.values = append(a.values, stringValue(strings.TrimSpace(part)))
		}
	}
	if len(a.values) > 0 {
		c.attributes = append(c.attributes, a)
	}
}

func (g golden) application() string {
	if g.app != "" {
		return g.app
	}
	return "travelocity"
}

func (g golden) asWSO2() *Context {
	c := &Context{}
	c.add(categoryApp, attributeApp, g.application())
	c.add(categoryApp, wso2+"auth/sp-tenant-domain", tenant)
	c.add(categoryIDP, attributeIDP, "SalesforceIdP")
	c.add(categoryIDP, categoryIDP+"/connector-type", "salesforce")
	c.add(wso2+"identity-action", wso2+"identity-action/action-name", "provisioning")
	c.add(categoryCall, attributeCall, g.operation)
	if g.operation == "POST" {
		c.add(categoryCall, categoryCall+"/claim-group", g.groups...)
	}
	for _, r := range g.roles {
		c.add(categoryUser, wso2Claims+"roles", "Internal/"+r)
	}
	for name, v := range map[string]string{"country": g.country, "organization": g.organization} {
		if v != "" {
			c.add(categoryUser, wso2Claims+name, v)
		}
	}
	return c
}

func (g golden) asOurs() *rules.Request {
	r := &rules.Request{
		User: rules.User{Groups: g.groups, Roles: g.roles, Claims: map[string][]string{}},
		App:  rules.App{Name: g.application()}, Connector: rules.Connector{Name: "SalesforceIdP", Type: "salesforce"},
		Operation: map[string]rules.Operation{"POST": rules.OperationCreate, "PUT": rules.OperationUpdate}[g.operation],
		Now:       nine,
	}
	// once under its URI, once under its short name
	if g.country != "" {
		r.User.Claims["http://wso2.org/claims/country"] = []string{g.country}
	}
	if g.organization != "" {
		r.User.Claims["organization"] = []string{g.organization}
	}
	return r
}
