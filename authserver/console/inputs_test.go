package console

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/console/form"
	"github.com/anteroom-id/anteroom/authserver/resources"
)

// jsonNames are the fields of a document, those of embedded structs among them.
func jsonNames(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			out = append(out, jsonNames(f.Type)...)
		} else {
			out = append(out, name)
		}
	}
	return out
}

// A setting that nobody can see or change in the console is one that it would have to
// be left for.
func TestEveryFieldHasAnInput(t *testing.T) {
	elsewhere := map[string]string{
		"secret": "is made, and shown once", "jwks": "whole keys are pasted nowhere: jwks_uri, or the resources file",
		bindings: "its rows",
	}
	has := func(inputs []form.Input, path string) bool {
		return slices.ContainsFunc(inputs, func(in form.Input) bool { return in.Path == path })
	}
	for _, name := range jsonNames(reflect.TypeFor[resources.Application]()) {
		if _, ok := elsewhere[name]; ok == has(allInputs(applicationSections(false)), name) {
			t.Errorf("application: %q has an input = %v, elsewhere = %v", name, !ok, ok)
		}
	}
	row := append(bindingInputs(0), policyInputs(0, resources.Names{})...)
	for _, name := range jsonNames(reflect.TypeFor[resources.Binding]()) {
		if name != "target" && !has(row, bindingPath(0, name)) {
			t.Errorf("binding: %q has no input", name)
		}
	}
}

// A form that is sent as it was drawn changes nothing.
func TestUntouchedFormChangesNothing(t *testing.T) {
	jit, age := false, int64(0)
	a := resources.FromApplication(application.New("payroll", "Payroll & Co"))
	a.RedirectURIs, a.Registration, a.Disabled, a.DefaultMaxAge = []string{"https://a/cb", "https://b/cb"}, true, true, &age
	a.Secret, a.JWKS = &resources.SecretRef{Stored: true}, &application.JWKS{}
	a.UserinfoAlg, a.AuthMethod = "ES256", "client_secret_post"
	a.Contacts, a.Consent, a.SubjectType, a.AccessTokenFormat = []string{"x@example.com"}, application.ConsentSkip, application.SubjectPairwise, application.TokenJWT
	a.Outbound = &[]resources.Binding{
		{Target: "google", Blocking: true, JITOutbound: &jit, Timeout: "5s", OnLoss: "delete", RuleSets: []string{"staff"}, EnableRules: true},
		{Target: "crm", JITOutbound: &jit, ReportOnly: true},
	}
	names := resources.Names{Targets: []string{"crm", "google"}, RuleSets: []string{"staff"}}
	page, err := fillApplication(a, true, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string][]string{fieldRows: {"2"}}
	for _, section := range page.Sections {
		send(sent, section.Fields)
	}
	for _, row := range page.Bindings {
		sent[bindingPath(row.Index, "target")] = []string{row.Target}
		send(sent, append(row.Options, row.Policies.Fields...))
	}
	got, problems, err := readApplication(a, true, names, sent)
	if err != nil || len(problems) > 0 {
		t.Fatalf("problems %v, %v", problems, err)
	}
	if diff := cmp.Diff(documentText(t, a), documentText(t, got)); diff != "" {
		t.Errorf("the document (-as it was +as sent):\n%s", diff)
	}
}

// send adds what a browser sends of the fields.
func send(sent map[string][]string, fields []form.Field) {
	for _, f := range fields {
		switch {
		case f.Fixed || f.Kind == form.Check && !f.Checked():
		case f.Kind == form.Check:
			sent[f.Path] = []string{"true"}
		case f.Kind == form.Several:
			for _, o := range f.Options {
				if f.Chosen(o.Value) {
					sent[f.Path] = append(sent[f.Path], o.Value)
				}
			}
		case f.Kind == form.Choice:
			for _, o := range f.Options {
				if f.Chosen(o.Value) {
					sent[f.Path] = []string{o.Value}
				}
			}
		default:
			sent[f.Path] = []string{strings.ReplaceAll(f.Value, "\n", "\r\n")}
		}
	}
}

func documentText(t *testing.T, a resources.Application) string {
	t.Helper()
	text, err := resources.Document{Applications: []resources.Application{a}}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
