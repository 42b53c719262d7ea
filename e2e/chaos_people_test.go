package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

// person registers and wants to get in, with the patience of a saint.
type person struct {
	chaos   *chaos
	login   string
	leaves  bool // closes the browser once registered
	refused bool // no place takes them
	random  *rand.Rand
	browser *browser.Browser
	client  *http.Client // of the application

	known    bool // the login is theirs
	request  request
	page     *browser.Page // nil: begin anew
	in       bool          // has a token
	told     bool          // was told for good that they cannot go on
	subject  string        // of the ID token
	without  string        // what the directory had when a code came without an active account
	last     error
	problems int // requests that failed
}

func (c *chaos) person(i int) *person {
	p := &person{chaos: c, login: fmt.Sprintf("person%03d", i), leaves: i%5 == 4, refused: i%10 == 7, random: c.stream(100 + i), browser: newBrowser()}
	if p.refused {
		p.login = fmt.Sprintf("%s%03d", unwelcome, i)
	}
	transport := c.client(i+1, c.stream(100_000+i))
	// A server that sleeps answers nothing, and people press reload.
	p.browser.Client.Transport, p.browser.Client.Timeout = transport, 2*shortLease
	p.client = &http.Client{Transport: transport, Timeout: 2 * shortLease}
	return p
}

// walk goes on until the person is in, has left, or ctx ends.
func (p *person) walk(ctx context.Context) {
	for !p.in {
		if p.page, p.last = p.next(ctx); p.last != nil {
			p.problems++
		}
		p.told = p.refused && p.page != nil && strings.Contains(p.page.Text, "You cannot continue to")
		if p.leaves && p.known || p.in || p.told {
			return
		}
		between := 200*time.Millisecond + time.Duration(p.random.Int64N(int64(400*time.Millisecond)))
		if !pause(ctx, between) {
			return
		}
	}
}

// next does what the page asks for. A page that did not load is begun anew.
func (p *person) next(ctx context.Context) (*browser.Page, error) {
	page := p.page
	switch {
	case page == nil:
		p.request = p.chaos.rp.request()
		if !p.known {
			p.request = p.chaos.rp.request(promptCreate)
		}
		return p.browser.Get(ctx, p.request.url)
	case page.Location != nil:
		return nil, p.enter(ctx)
	case page.Refresh > 0:
		return p.browser.Get(ctx, page.URL.String())
	case page.URL.Path == "/register":
		return p.register(ctx)
	case page.URL.Path == "/sign-in":
		return p.browser.Submit(ctx, page, "/sign-in", map[string]string{"login": p.login, "password": password})
	case page.URL.Path == "/wait":
		return p.browser.Submit(ctx, page, "/wait/retry", nil)
	default:
		return nil, fmt.Errorf("page %q at %s: %s", page.Title, page.URL, page.Text)
	}
}

func (p *person) register(ctx context.Context) (*browser.Page, error) {
	page, err := p.browser.Submit(ctx, p.page, "/register", map[string]string{
		"login": p.login, "email": p.login + "@example.com", "given_name": "Ada", "family_name": "Example", "password": password,
	})
	switch {
	case err != nil:
		return nil, err
	case page.Location == nil && page.Status == http.StatusUnprocessableEntity:
		p.known = true // the first time did count: nobody else takes this login
		return nil, nil
	case page.Location == nil && page.Status != http.StatusOK:
		return nil, fmt.Errorf("registration: status %d: %s", page.Status, page.Text)
	}
	p.known = true
	return page, nil
}

// enter is the application's part. By now the account must be there.
func (p *person) enter(ctx context.Context) error {
	callback := p.page.Location
	if callback.Query().Has("code") {
		for _, place := range p.chaos.places {
			if found := place.of(p.login); len(found) != 1 || !found[0].Active {
				p.without += fmt.Sprintf("%s: %+v ", place.name, found)
			}
		}
	}
	g, err := p.chaos.rp.exchange(oidc.ClientContext(ctx, p.client), p.request, callback)
	if err != nil {
		return err
	}
	p.subject, _ = g.claims["sub"].(string)
	p.in = true
	return nil
}
