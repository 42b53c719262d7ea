// Package browser owns a small headless browser without JavaScript: cookies,
// redirects, forms and meta refresh over real HTTP. The demo's own check and the
// end-to-end tests walk through pages with it. It does not own anything of a
// real browser beyond that: what JavaScript or layout do is tested in Chromium.
package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser keeps cookies from page to page.
type Browser struct {
	Client *http.Client
	// Stop is asked before each redirect; true makes the redirect itself the
	// page, so that a test can play the application. nil follows all.
	Stop func(u *url.URL) bool
}

// New returns a browser without cookies.
func New() *Browser {
	jar, _ := cookiejar.New(nil) // fails only with options
	b := &Browser{}
	b.Client = &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: b.redirect}
	return b
}

const maxRedirects = 20

func (b *Browser) redirect(req *http.Request, via []*http.Request) error {
	if b.Stop != nil && b.Stop(req.URL) {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// Page is what a person sees, and the forms on it.
type Page struct {
	URL      *url.URL // where it came from; the redirect's goal when stopped
	Status   int
	Header   http.Header
	Title    string
	Text     string // white space folded
	Forms    []Form
	Refresh  time.Duration // of a meta refresh, 0 for none
	Location *url.URL      // of a redirect that was not followed, nil otherwise
	HTML     string
}

// Form is a form as it would be sent untouched.
type Form struct {
	Action *url.URL
	Method string
	Values url.Values

	offered map[string]bool // controls by name, buttons and unticked boxes too
	boxes   map[string]bool // those that send nothing when unticked
}

// Get opens a URL.
func (b *Browser) Get(ctx context.Context, rawURL string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	return b.do(req)
}

// Submit sends the page's form whose action contains the given text, with some
// of its fields filled in: a box is ticked by its value and unticked by "", a button is
// pressed by its value. Filling a field that the form lacks is an error: a person could
// not do it.
func (b *Browser) Submit(ctx context.Context, p *Page, action string, fill map[string]string) (*Page, error) {
	f, err := p.Form(action)
	if err != nil {
		return nil, err
	}
	for name, value := range fill {
		if !f.offered[name] {
			return nil, fmt.Errorf("form %s of %s has no field %q", f.Action.Path, p.URL, name)
		}
		f.Values.Set(name, value)
		if value == "" && f.boxes[name] {
			f.Values.Del(name)
		}
	}
	return b.send(ctx, p, f)
}

func (b *Browser) send(ctx context.Context, p *Page, f Form) (*Page, error) {
	target, body := *f.Action, io.Reader(nil)
	if f.Method == http.MethodPost {
		body = strings.NewReader(f.Values.Encode())
	} else {
		target.RawQuery = f.Values.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, f.Method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if f.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", p.URL.Scheme+"://"+p.URL.Host)
		req.Header.Set("Sec-Fetch-Site", fetchSite(p.URL, f.Action))
	}
	return b.do(req)
}

func fetchSite(from, to *url.URL) string {
	if from.Scheme == to.Scheme && from.Host == to.Host {
		return "same-origin"
	}
	return "cross-site"
}

// Form returns the page's form whose action contains the text.
func (p *Page) Form(action string) (Form, error) {
	for _, f := range p.Forms {
		if strings.Contains(f.Action.String(), action) {
			return f, nil
		}
	}
	return Form{}, fmt.Errorf("page %q at %s has no form for %q", p.Title, p.URL, action)
}

const maxPage = 1 << 20

func (b *Browser) do(req *http.Request) (*Page, error) {
	res, err := b.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", res.Request.URL, err)
	}
	p := &Page{URL: res.Request.URL, Status: res.StatusCode, Header: res.Header, HTML: string(raw)}
	if location, err := res.Location(); err == nil {
		p.URL, p.Location = location, location
		return p, nil
	}
	// Without scripting the parser reads what is in <noscript>, as this browser does.
	doc, err := html.ParseWithOptions(strings.NewReader(p.HTML), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", p.URL, err)
	}
	p.read(doc, nil)
	p.Text = strings.Join(strings.Fields(p.Text), " ")
	return p, nil
}
