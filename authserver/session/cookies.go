package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Cookies names and reads the browser's cookies. Make one with NewCookies.
type Cookies struct {
	sessionName string
	browserName string
	knownName   string
	secure      bool
}

const (
	sessionCookie = "anteroom"
	browserCookie = "anteroom-browser"
	knownCookie   = "anteroom-known"
	// hostPrefix makes the browser insist on Secure, Path=/ and no Domain, so that
	// no neighbouring host can plant the cookie.
	hostPrefix = "__Host-"
	// browserAge keeps the browser key over restarts: an open tab may be restored.
	browserAge = 400 * 24 * 60 * 60
)

// NewCookies returns cookies for an issuer: with the __Host- prefix, or with
// plain names when secure is false, which is right for http on loopback only.
func NewCookies(secure bool) Cookies {
	if !secure {
		return Cookies{sessionName: sessionCookie, browserName: browserCookie, knownName: knownCookie}
	}
	return Cookies{
		sessionName: hostPrefix + sessionCookie, browserName: hostPrefix + browserCookie, knownName: hostPrefix + knownCookie, secure: true,
	}
}

func (c Cookies) cookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: age,
		Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// session lives as long as the browser runs; the server's lifetimes decide.
func (c Cookies) session(value string) *http.Cookie { return c.cookie(c.sessionName, value, 0) }

func (c Cookies) expired() *http.Cookie { return c.cookie(c.sessionName, "", -1) }

func (c Cookies) sessionValue(r *http.Request) (string, bool) { return read(r, c.sessionName) }

// read returns a cookie's value if it has the shape of ours. Two cookies of the
// same name mean that somebody planted one: none counts.
func read(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return "", false
	}
	value := found[0].Value
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return value, err == nil && len(b) == keyBytes
}

// Browser is a browser's key: random, in a cookie, the same for all its tabs and
// sign-ins.
type Browser struct{ value string }

// Browser returns the request's browser key; false when it has none.
func (c Cookies) Browser(r *http.Request) (Browser, bool) {
	value, ok := read(r, c.browserName)
	if !ok {
		return Browser{}, false
	}
	return Browser{value}, true
}

// EnsureBrowser returns the request's browser key and gives the browser one if
// it has none.
func (c Cookies) EnsureBrowser(w http.ResponseWriter, r *http.Request) Browser {
	if b, ok := c.Browser(r); ok {
		return b
	}
	b := Browser{newValue()}
	http.SetCookie(w, c.cookie(c.browserName, b.value, browserAge))
	return b
}

// Hash returns what is stored of the key.
func (b Browser) Hash() []byte {
	sum := sha256.Sum256([]byte(b.value))
	return sum[:]
}

// Is reports whether the key is the one that was stored.
func (b Browser) Is(hash []byte) bool {
	return b.value != "" && subtle.ConstantTimeCompare(b.Hash(), hash) == 1
}

// Token returns the anti-forgery token of a form: only this browser's pages can
// hold it, and it fits only that purpose.
func (b Browser) Token(purpose string) string {
	mac := hmac.New(sha256.New, []byte(b.value))
	mac.Write([]byte("form:" + purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ErrForm means a form cannot be accepted: it has no token of ours, or is
// malformed.
var ErrForm = errors.New("form refused")

// Guarded serves pages with forms of at most limit bytes. A request that a browser
// sends from another site's page gets ErrForm instead of h. What h returns goes to
// failed, unless it is nil.
func Guarded(limit int64, h func(http.ResponseWriter, *http.Request) error, failed func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	cross := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		err := cross.Check(r)
		if err != nil {
			err = errors.Join(ErrForm, err)
		} else {
			err = h(w, r)
		}
		if err != nil {
			failed(w, r, err)
		}
	}
}

// FormToken is the name of the form field that holds the token.
const FormToken = "token"

// Posted reads a form and checks its token, or returns ErrForm. The purpose is what
// the token is bound to beside the browser; the form may name it.
func (c Cookies) Posted(r *http.Request, purpose func(url.Values) string) (url.Values, error) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		return nil, ErrForm
	}
	if err := r.ParseForm(); err != nil {
		return nil, errors.Join(ErrForm, err)
	}
	browser, ok := c.Browser(r)
	if !ok || !browser.CheckToken(purpose(r.PostForm), r.PostForm.Get(FormToken)) {
		return nil, ErrForm
	}
	return r.PostForm, nil
}

// CheckToken reports whether the form's token fits browser and purpose.
func (b Browser) CheckToken(purpose, token string) bool {
	return b.value != "" && hmac.Equal([]byte(b.Token(purpose)), []byte(token))
}
