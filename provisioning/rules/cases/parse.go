package cases

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/source"
)

// Limits of a file.
const (
	MaxSource = 1 << 20 // bytes
	MaxCases  = 1000
)

// Parse reads a file of cases. The error is [rules.Problems] with everything that is
// wrong.
func Parse(text string) (File, error) {
	var out File
	r := source.Read(text, MaxSource, func(r *source.Reader, body ast.Node) {
		out = (&reader{r}).file(body)
	})
	if err := r.Err(); err != nil {
		return File{}, err
	}
	return out, nil
}

type reader struct{ *source.Reader }

func (r *reader) file(body ast.Node) File {
	var out File
	var list ast.Node
	r.Fields(body, "a file of cases", map[string]func(ast.Node){
		"rule_set": func(n ast.Node) { out.RuleSet = r.reference(n) },
		"cases":    func(n ast.Node) { list = n },
	})
	if list == nil {
		r.Node(body, "cases: required")
		return out
	}
	items := r.Items(list, "cases")
	if len(items) == 0 || len(items) > MaxCases {
		r.Node(list, "cases: must be a list of 1 to %d cases", MaxCases)
		return out
	}
	seen := map[string]bool{}
	for _, n := range items {
		out.Cases = append(out.Cases, r.one(n, seen))
	}
	return out
}

// one reads a case. What it does not say is usual: an active user who signs in and
// has no account yet.
func (r *reader) one(n ast.Node, seen map[string]bool) Case {
	var out Case
	out.Line, out.Column = source.Position(r.Source, r.Beginning(n))
	out.Request.User.Active = true
	out.Request.Operation, out.Request.Trigger = rules.OperationCreate, rules.TriggerJIT
	given := r.Fields(n, "a case", map[string]func(ast.Node){
		"name":        func(n ast.Node) { out.Name = r.name(n, seen) },
		"user":        func(n ast.Node) { r.user(n, &out.Request.User) },
		"application": func(n ast.Node) { r.application(n, &out.Request.App) },
		"target":      func(n ast.Node) { r.target(n, &out.Request.Connector) },
		"operation":   func(n ast.Node) { out.Request.Operation = r.operation(n) },
		"at":          func(n ast.Node) { out.At = r.at(n) },
		"request":     func(n ast.Node) { r.request(n, &out.Request) },
		"account":     func(n ast.Node) { r.account(n, &out.Request.Account) },
		"expect":      func(n ast.Node) { out.Expect = r.expect(n) },
		"rule":        func(n ast.Node) { out.Rule = r.Text(n) },
	})
	for _, key := range []string{"name", "expect"} {
		if given != nil && !slices.Contains(given, key) {
			r.At(r.Beginning(n), "%s: required", key)
		}
	}
	return out
}

func (r *reader) name(n ast.Node, seen map[string]bool) string {
	name := r.Text(n)
	switch {
	case strings.TrimSpace(name) == "":
		r.Node(n, "must not be empty")
	case seen[name]:
		r.Node(n, "%q names two cases", name)
	}
	seen[name] = true
	return name
}

func (r *reader) user(n ast.Node, u *rules.User) {
	r.Fields(n, "a user", map[string]func(ast.Node){
		"id":             r.into(&u.ID),
		"username":       r.into(&u.Username),
		"email":          r.into(&u.Email),
		"email_verified": func(n ast.Node) { u.EmailVerified = r.Bool(n) },
		"given_name":     r.into(&u.GivenName),
		"family_name":    r.into(&u.FamilyName),
		"name":           r.into(&u.Name),
		"locale":         r.into(&u.Locale),
		"phone_number":   r.into(&u.PhoneNumber),
		"active":         func(n ast.Node) { u.Active = r.Bool(n) },
		"source":         r.into(&u.Source),
		"groups":         func(n ast.Node) { u.Groups = r.Texts(n, "groups") },
		"roles":          func(n ast.Node) { u.Roles = r.Texts(n, "roles") },
		"claims":         func(n ast.Node) { u.Claims = r.claims(n) },
	})
}

func (r *reader) into(field *string) func(ast.Node) {
	return func(n ast.Node) { *field = r.Text(n) }
}

// claims takes a text for a claim of one value.
func (r *reader) claims(n ast.Node) map[string][]string {
	out := map[string][]string{}
	for _, e := range r.Entries(n, "claims") {
		name := r.Text(e.Key)
		if _, several := e.Value.(*ast.SequenceNode); several {
			out[name] = r.Texts(e.Value, "the values of a claim")
		} else {
			out[name] = []string{r.Text(e.Value)}
		}
	}
	return out
}

// application takes a text for its name.
func (r *reader) application(n ast.Node, a *rules.App) {
	if text(n) {
		a.Name = r.Text(n)
		return
	}
	r.Fields(n, "an application", map[string]func(ast.Node){
		"name":      r.into(&a.Name),
		"client_id": r.into(&a.ClientID),
		"labels":    func(n ast.Node) { a.Labels = r.Texts(n, "labels") },
	})
}

// target takes a text for its name.
func (r *reader) target(n ast.Node, c *rules.Connector) {
	if text(n) {
		c.Name = r.Text(n)
		return
	}
	r.Fields(n, "a target", map[string]func(ast.Node){
		"name":    r.into(&c.Name),
		"type":    r.into(&c.Type),
		"binding": r.into(&c.Binding),
	})
}

func text(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return true
	}
	return false
}

func (r *reader) operation(n ast.Node) rules.Operation {
	op := rules.Operation(r.Text(n))
	if op != rules.OperationCreate && op != rules.OperationUpdate {
		r.Node(n, "must be create or update: rules are not asked about anything else")
	}
	return op
}

func (r *reader) at(n ast.Node) string {
	s := r.Text(n)
	if _, ok := parseMoment(s, time.UTC); !ok {
		r.Node(n, "must be a time such as 2026-06-01T09:30 (in the time zone of the rule set) or 2026-06-01T09:30:00Z")
	}
	return s
}

func (r *reader) moment(n ast.Node) time.Time {
	at, err := time.Parse(time.RFC3339, r.Text(n))
	if err != nil {
		r.Node(n, "must be a time such as 2026-06-01T09:30:00Z")
	}
	return at
}

func (r *reader) request(n ast.Node, out *rules.Request) {
	r.Fields(n, "a request", map[string]func(ast.Node){
		"scopes":    func(n ast.Node) { out.Scopes = r.Texts(n, "scopes") },
		"acr":       r.into(&out.ACR),
		"amr":       func(n ast.Node) { out.AMR = r.Texts(n, "amr") },
		"ip":        func(n ast.Node) { out.IP = r.ip(n) },
		"trigger":   func(n ast.Node) { out.Trigger = r.trigger(n) },
		"auth_time": func(n ast.Node) { out.AuthTime = r.moment(n) },
	})
}

func (r *reader) ip(n ast.Node) netip.Addr {
	ip, err := netip.ParseAddr(r.Text(n))
	if err != nil {
		r.Node(n, "must be an address such as 10.1.2.3")
	}
	return ip
}

func (r *reader) trigger(n ast.Node) rules.Trigger {
	trigger := rules.Trigger(r.Text(n))
	if !slices.Contains(rules.Triggers(), trigger) {
		r.Node(n, "must be jit, change, retry, reconcile or simulate")
	}
	return trigger
}

func (r *reader) account(n ast.Node, a *rules.Account) {
	r.Fields(n, "an account", map[string]func(ast.Node){
		"linked":           func(n ast.Node) { a.Linked = r.Bool(n) },
		"remote_id":        r.into(&a.RemoteID),
		"last_provisioned": func(n ast.Node) { a.LastProvisioned = r.moment(n) },
	})
}

func (r *reader) expect(n ast.Node) Expectation {
	e := Expectation(r.Text(n))
	switch e {
	case ExpectPermit, ExpectDeny, ExpectNotApplicable, ExpectIndeterminate:
	default:
		r.Node(n, "must be permit, deny, not_applicable or indeterminate")
	}
	return e
}
