package session_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
)

// device is a browser with its cookies.
type device struct {
	jar map[string]*http.Cookie
}

func (d *device) request() *http.Request {
	var cookies []*http.Cookie
	for _, c := range d.jar {
		cookies = append(cookies, c)
	}
	return request(cookies...)
}

func (d *device) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		d.jar[c.Name] = c
	}
}

func (d *device) remember(k session.KnownBrowsers, login string) {
	w := httptest.NewRecorder()
	k.Remember(w, d.request(), login)
	d.keep(w)
}

func newDevice(c session.Cookies) *device {
	d := &device{jar: map[string]*http.Cookie{}}
	w := httptest.NewRecorder()
	c.EnsureBrowser(w, request())
	d.keep(w)
	return d
}

const knownName = "__Host-anteroom-known"

func TestKnownBrowsers(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cookies := session.NewCookies(true)
	k := session.KnownBrowsers{Key: []byte("key"), Cookies: cookies, Now: func() time.Time { return now }}
	own, other := newDevice(cookies), newDevice(cookies)
	if k.Knows(own.request(), "ada") != "" {
		t.Error("a new browser is known")
	}
	own.remember(k, "ada")
	name := k.Knows(own.request(), "ada")
	if name == "" || name != k.Knows(own.request(), "ada") {
		t.Fatalf("known as %q", name)
	}
	if c := own.jar[knownName]; !c.HttpOnly || !c.Secure || c.MaxAge <= 0 {
		t.Errorf("cookie %s", c)
	}
	if k.Knows(own.request(), "grace") != "" {
		t.Error("known to a login that never signed in")
	}
	other.jar[knownName] = own.jar[knownName]
	if k.Knows(other.request(), "ada") != "" {
		t.Error("the mark works in another browser")
	}
	forged := session.KnownBrowsers{Key: []byte("guessed"), Cookies: cookies, Now: k.Now}
	other.remember(forged, "ada")
	if k.Knows(other.request(), "ada") != "" {
		t.Error("a mark under another key counts")
	}
	now = now.Add(401 * 24 * time.Hour)
	if k.Knows(own.request(), "ada") != "" {
		t.Error("a mark lives for ever")
	}
}

// Without a key anybody could make a mark: no browser is known.
func TestKnownBrowsersNeedAKey(t *testing.T) {
	cookies := session.NewCookies(true)
	k := session.KnownBrowsers{Cookies: cookies, Now: time.Now}
	d := newDevice(cookies)
	d.remember(session.KnownBrowsers{Key: []byte{}, Cookies: cookies, Now: time.Now}, "ada")
	if _, ok := d.jar[knownName]; ok || k.Knows(d.request(), "ada") != "" {
		t.Error("a browser is known without a key")
	}
}

// A browser many people share keeps the last few, each once.
func TestKnownBrowsersForgetTheOldest(t *testing.T) {
	cookies := session.NewCookies(true)
	k := session.KnownBrowsers{Key: []byte("key"), Cookies: cookies, Now: time.Now}
	d := newDevice(cookies)
	logins := []string{"a", "b", "c", "d", "e", "f", "f", "e"}
	for _, login := range logins {
		d.remember(k, login)
	}
	var known []string
	for _, login := range logins[:6] {
		if k.Knows(d.request(), login) != "" {
			known = append(known, login)
		}
	}
	if want := []string{"b", "c", "d", "e", "f"}; !slices.Equal(known, want) {
		t.Errorf("known to %v, want %v", known, want)
	}
	if n := strings.Count(d.jar[knownName].Value, ".") + 1; n != 5 {
		t.Errorf("%d marks, want 5", n)
	}
}

func FuzzKnownBrowsers(f *testing.F) {
	f.Add("__Host-anteroom-browser="+strings.Repeat("A", 43)+"; __Host-anteroom-known=abc.def", "ada")
	f.Add("__Host-anteroom-known="+strings.Repeat("A", 54), "")
	f.Fuzz(func(t *testing.T, header, login string) {
		r := request()
		r.Header.Set("Cookie", header)
		k := session.KnownBrowsers{Key: []byte("key"), Cookies: session.NewCookies(true), Now: time.Now}
		if k.Knows(r, login) != "" {
			t.Error("a stranger's cookie is known")
		}
		w := httptest.NewRecorder()
		k.Remember(w, r, login)
		for _, c := range w.Result().Cookies() {
			if len(c.Value) > 400 {
				t.Errorf("a cookie of %d bytes", len(c.Value))
			}
		}
	})
}
