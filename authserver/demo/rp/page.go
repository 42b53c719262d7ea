package rp

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/demo/page"
)

//go:embed home.html
var homeHTML string

//go:embed problem.html
var problemHTML string

var (
	homePage    = page.Parse("rp home", homeHTML)
	problemPage = page.Parse("rp problem", problemHTML)
)

// person is who signed in, as the home page shows it.
type person struct {
	Name   string
	Claims []claim
}

// claim is one row of the table.
type claim struct {
	Name, Value string
	From        string // "ID token", "userinfo" or "both"
}

func newPerson(idToken, userinfo map[string]any) person {
	var p person
	names := slices.Collect(maps.Keys(idToken))
	for name := range userinfo {
		if _, both := idToken[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		value, inToken := idToken[name]
		other, inInfo := userinfo[name]
		c := claim{Name: name, From: "both"}
		switch {
		case !inInfo:
			c.From = "ID token"
		case !inToken:
			c.From, value = "userinfo", other
		}
		c.Value = text(value)
		p.Claims = append(p.Claims, c)
	}
	for _, name := range []string{"name", "preferred_username", "email", "sub"} {
		for _, c := range p.Claims {
			if c.Name == name && p.Name == "" {
				p.Name = c.Value
			}
		}
	}
	return p
}

// rank puts what is about the person before what the protocol needs.
func rank(claim string) int {
	switch claim {
	case "name":
		return 0
	case "provisioned":
		return 1
	case "at_hash", "aud", "auth_time", "exp", "iat", "iss", "jti", "nonce", "sid":
		return 3
	default:
		return 2
	}
}

// text is a claim's value as people read it.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}

func (a *App) showHome(w http.ResponseWriter, r *http.Request) {
	data := struct {
		App    string
		Person *person
	}{App: a.options.Name}
	if who, ok := a.people.get(a.cookie(r, sessionCookie)); ok {
		data.Person = &who
	}
	if err := homePage.Render(w, http.StatusOK, data); err != nil {
		a.logger.Error("cannot show page", "error", err)
	}
}

// problem is what a person reads when a sign-in did not work.
type problem struct {
	App, Title, Text string
	Code, Detail     string // of the protocol, "" if none
}

func (a *App) showProblem(w http.ResponseWriter, status int, p problem) {
	p.App = a.options.Name
	if err := problemPage.Render(w, status, p); err != nil {
		a.logger.Error("cannot show page", "error", err)
	}
}
