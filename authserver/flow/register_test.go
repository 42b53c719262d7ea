package flow_test

import (
	"context"
	"net/http"
	"testing"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/sdk"
)

func grace() map[string]string {
	return map[string]string{
		"login": "grace", "email": "grace@example.com", "given_name": "Grace", "family_name": "Hopper", "password": "a long enough phrase",
	}
}

func TestRegister(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll&prompt=create").at("/register").says("to use Payroll")
	b.submit("/register", grace()).backWith("code", "")
	u, err := s.users.ByLogin(t.Context(), "grace")
	must(t, err)
	if u.Home != "payroll" || s.lifecycle.registered[u.ID] != "payroll" {
		t.Errorf("home %q, told %q; want payroll", u.Home, s.lifecycle.registered[u.ID])
	}
	b.get("/authorize?client_id=payroll").backWith("code", "") // the session is there
}

func TestRegisterFromSignIn(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	link := b.page.find(func(n *html.Node) bool { return n.Data == "a" })
	b.get(attr(link, "href")).at("/register").submit("/register", grace()).backWith("code", "")
}

// Everything wrong is shown at its field; what was typed stays, but the password.
func TestRegisterProblems(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll&prompt=create")
	typed := map[string]string{"login": "ada", "email": "no address", "given_name": `<b>"Ada"`, "password": "short"}
	b.submit("/register", typed).status(http.StatusUnprocessableEntity)
	b.says("Use at least 10 characters").says("enter an e-mail address").says("correct the marked fields")
	form := b.fill("/register", nil)
	for _, name := range []string{"login", "email", "given_name"} {
		if form.Get(name) != typed[name] {
			t.Errorf("%s = %q, want what was typed", name, form.Get(name))
		}
	}
	if form.Get("password") != "" {
		t.Error("the password is in the page")
	}
	invalid := b.page.find(func(n *html.Node) bool { return attr(n, "id") == "email" })
	if attr(invalid, "aria-invalid") != "true" || attr(invalid, "aria-describedby") != "email-problem" {
		t.Error("the field is not tied to its problem")
	}
	b.submit("/register", map[string]string{"email": "a@example.com", "password": "a long enough phrase"}).says("This login is taken")
	b.submit("/register", map[string]string{"login": "ada2", "password": "a long enough phrase"}).backWith("code", "")
}

// The same form sent twice is one registration, not "login taken".
func TestRegisterTwice(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll&prompt=create")
	form := b.fill("/register", grace())
	first := b.twin()
	first.post("/register", form).backWith("code", "")
	b.post("/register", form).backWith("code", first.page.url.Query().Get("code"))
}

// overtaken lets something happen between reading a form and registering.
type overtaken struct {
	flow.Users
	once func()
}

func (o *overtaken) Register(ctx context.Context, u user.User, password sdk.Secret) (user.User, error) {
	if first := o.once; first != nil {
		o.once = nil
		first()
	}
	return o.Users.Register(ctx, u, password)
}

// Two clicks at the very same time: the slower one finds the login taken by the
// faster one, and joins it.
func TestRegisterTwiceAtOnce(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll&prompt=create")
	form, first := b.fill("/register", grace()), b.twin()
	s.driver.Users = &overtaken{s.users, func() { first.post("/register", form) }}
	b.post("/register", form)
	code := first.backWith("code", "").page.url.Query().Get("code")
	b.backWith("code", code)
}

func TestRegisterWithoutSignIn(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/register?client_id=payroll").submit("/register", grace()).at("/register/done").says("Your account is ready")
	link := b.page.find(func(n *html.Node) bool { return n.Data == "a" })
	if attr(link, "href") != "https://payroll.example.com/start" {
		t.Errorf("link to %q", attr(link, "href"))
	}
	u, err := s.users.ByLogin(t.Context(), "grace")
	must(t, err)
	if s.lifecycle.registered[u.ID] != "payroll" {
		t.Error("provisioning was not told")
	}
	b.get("/authorize?client_id=payroll").backWith("code", "")
}

func TestRegistrationIsTheApplicationsChoice(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=closed&prompt=create").at("/sign-in")
	if b.page.find(func(n *html.Node) bool { return n.Data == "a" }) != nil {
		t.Error("the page offers to register")
	}
	b.get("/register?sign_in=" + b.signInID()).status(http.StatusForbidden)
	b.get("/register?client_id=closed").status(http.StatusForbidden).says("does not let people register")
	b.get("/register?client_id=nothing").status(http.StatusNotFound)
	// A form for another application does not help.
	form := b.get("/register?client_id=payroll").fill("/register", grace())
	form.Set("client_id", "closed")
	b.post("/register", form).status(http.StatusForbidden)
	if _, err := s.users.ByLogin(t.Context(), "grace"); err == nil {
		t.Error("registered through an application that does not allow it")
	}
}
