package cli

import (
	"strings"
	"testing"
)

// An admin can ask who a pairwise subject is, and only as the application knows it.
func TestUserShowBySubject(t *testing.T) {
	o := newOffice(t)
	for _, host := range []string{"wiki", "payroll"} {
		o.run("application create " + host + " --pairwise --redirect-uri https://" + host + ".example/cb")
	}
	o.run("user create ada --no-password")
	s := o.sys
	ada, err := s.Users.ByLogin(t.Context(), "ada")
	o.must(err)
	app, err := s.Applications.Get(t.Context(), "wiki")
	o.must(err)
	alias, err := s.Subjects.Alias(t.Context(), app, ada.ID, "")
	o.must(err)
	for line, want := range map[string]string{
		"user show --application wiki --subject " + alias.Subject:    "  ada\n",
		"user show --application payroll --subject " + alias.Subject: "knows nobody by the subject",
		"user show --application none --subject " + alias.Subject:    "application not found",
		"user show --application wiki --subject " + string(ada.ID):   "knows nobody by the subject",
		"user show --subject " + alias.Subject:                       "--subject with --application",
		"user show ada --application wiki":                           "--subject with --application",
		"application show wiki":                                      "wiki.example\nregistration:",
	} {
		if said := o.run(line); !strings.Contains(said, want) {
			t.Errorf("%s says %q, want %q", line, said, want)
		}
	}
	o.run("user delete ada")
	if said := o.run("user show --application wiki --subject " + alias.Subject); !strings.Contains(said, "knows nobody") {
		t.Errorf("after the user is gone: %s", said)
	}
}
