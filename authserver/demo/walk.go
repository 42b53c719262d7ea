package demo

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/demo/directory"
)

// walkTimeout bounds the whole walk: a slow account takes eight seconds.
const walkTimeout = 2 * time.Minute

// walker does what the six lines say and prints what it saw.
type walker struct {
	*demo
	out io.Writer
}

func (d *demo) walk(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	w := &walker{d, out}
	if err := w.first(ctx); err != nil {
		return fmt.Errorf("demo: first walk: %w", err)
	}
	if err := w.second(ctx); err != nil {
		return fmt.Errorf("demo: second walk: %w", err)
	}
	w.saw("all as promised")
	return nil
}

func (w *walker) saw(format string, args ...any) {
	_, _ = fmt.Fprintf(w.out, format+"\n", args...)
}

// first registers somebody while the directory is slow.
func (w *walker) first(ctx context.Context) error {
	b := browser.New()
	page, err := w.register(ctx, b, "ada")
	if err != nil {
		return err
	}
	if err := expect(page, "/wait"); err != nil {
		return err
	}
	w.saw("1. registered ada at %s", w.issuer())
	w.saw("2. wait page: %q, %s", page.Title, sentence(page, "directory", 3))
	if page, err = w.follow(ctx, b, page, w.application()); err != nil {
		return err
	}
	if !strings.Contains(page.Text, "ada") {
		return fmt.Errorf("the application does not know ada: %s", page.Text)
	}
	w.saw("3. landed in the application: %q", page.Title)
	accounts := w.directory.Accounts()
	if len(accounts) != 1 || accounts[0].UserName != "ada" {
		return fmt.Errorf("the directory has %v, want exactly ada", accounts)
	}
	w.saw("4. the directory has 1 account: %s, id %s; switched it to Down", accounts[0].UserName, accounts[0].ID)
	w.directory.SetMode(directory.Down)
	return nil
}

// second registers somebody else while the directory is down, and brings it
// back.
func (w *walker) second(ctx context.Context) error {
	b := browser.New()
	page, err := w.register(ctx, b, "grace")
	if err != nil {
		return err
	}
	if err := expect(page, "/wait"); err != nil {
		return err
	}
	if page, err = w.until(ctx, b, page, "Reference"); err != nil {
		return err
	}
	if n := len(w.directory.Accounts()); n != 1 {
		return fmt.Errorf("the directory has %d accounts while it is down", n)
	}
	w.saw("5. grace got no code: %q: %s", page.Title, sentence(page, "Reference for support:", 1))
	w.directory.SetMode(directory.Normal)
	if page, err = w.follow(ctx, b, page, w.application()); err != nil {
		return err
	}
	if n := len(w.directory.Accounts()); n != 2 {
		return fmt.Errorf("the directory has %d accounts, want 2", n)
	}
	w.saw("6. switched back to Normal: the page went on by itself to %q; the directory has 2 accounts", page.Title)
	return nil
}

// register opens the application, asks for a new account and fills the form in.
func (w *walker) register(ctx context.Context, b *browser.Browser, login string) (*browser.Page, error) {
	page, err := b.Get(ctx, w.application()+"/login?prompt=create")
	if err != nil {
		return nil, err
	}
	if err := expect(page, "/register"); err != nil {
		return nil, err
	}
	return b.Submit(ctx, page, "/register", map[string]string{
		"login": login, "email": login + "@example.com", "given_name": strings.ToUpper(login[:1]) + login[1:],
		"family_name": "Example", "password": "correct horse battery staple",
	})
}

// follow reloads the page as its meta refresh says until it leads to the goal.
func (w *walker) follow(ctx context.Context, b *browser.Browser, page *browser.Page, goal string) (*browser.Page, error) {
	for origin(page.URL) != goal {
		next, err := reload(ctx, b, page)
		if err != nil {
			return nil, err
		}
		page = next
	}
	return page, nil
}

// until reloads the page until it shows the text.
func (w *walker) until(ctx context.Context, b *browser.Browser, page *browser.Page, text string) (*browser.Page, error) {
	for !strings.Contains(page.Text, text) {
		next, err := reload(ctx, b, page)
		if err != nil {
			return nil, err
		}
		page = next
	}
	return page, nil
}

func reload(ctx context.Context, b *browser.Browser, page *browser.Page) (*browser.Page, error) {
	if page.Refresh == 0 {
		return nil, fmt.Errorf("page %q at %s does not go on by itself: %s", page.Title, page.URL, page.Text)
	}
	timer := time.NewTimer(page.Refresh)
	defer timer.Stop()
	select {
	case <-timer.C:
		return b.Get(ctx, page.URL.String())
	case <-ctx.Done():
		return nil, fmt.Errorf("page %q at %s: %w: %s", page.Title, page.URL, ctx.Err(), page.Text)
	}
}

func expect(page *browser.Page, path string) error {
	if page.URL.Path != path {
		return fmt.Errorf("at %s (%d), want %s: %s", page.URL, page.Status, path, page.Text)
	}
	return nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// sentence returns the given text of the page and the n words behind it.
func sentence(page *browser.Page, from string, n int) string {
	_, rest, found := strings.Cut(page.Text, from)
	if !found {
		return page.Text
	}
	words := strings.Fields(rest)
	return from + " " + strings.Join(words[:min(n, len(words))], " ")
}
