package device_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// house is the page on a real database, with what follows it noted.
type house struct {
	t       *testing.T
	now     time.Time
	address string // of whoever asks next
	devices store.Devices
	codes   device.Codes
	entered []flow.AuthorizeRequest
	server  *httptest.Server
}

func (h *house) Enter(w http.ResponseWriter, _ *http.Request, req flow.AuthorizeRequest) error {
	h.entered = append(h.entered, req)
	_, err := w.Write([]byte("entered"))
	return err
}

func (h *house) Ask(w http.ResponseWriter, _ *http.Request, path, _ string, _ bool) error {
	_, err := w.Write([]byte("sign in for " + path))
	return err
}

func (h *house) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusForbidden)
}

func newHouse(t *testing.T) *house {
	t.Helper()
	db := sqldbtest.SQLite(t, store.Migrations())
	h := &house{t: t, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), address: "192.0.2.1", devices: store.Devices{DB: db}, codes: device.Codes{Key: []byte("k")}}
	now := func() time.Time { return h.now }
	users, apps := store.Users{DB: db}, store.Applications{DB: db, Now: now}
	must(t, users.Insert(t.Context(), user.User{ID: "u1", Login: "ada", LoginNorm: "ada", Status: user.StatusActive, Revision: 1}))
	app := application.New("tv", "Living Room TV")
	app.AuthMethod, app.GrantTypes = application.AuthNone, []string{application.GrantDeviceCode}
	_, err := apps.Put(t.Context(), app)
	must(t, err)
	pages, err := web.NewRenderer("Anteroom", slog.New(slog.DiscardHandler))
	must(t, err)
	sessions := &session.Manager{Store: store.Sessions{DB: db}, List: store.Sessions{DB: db}, Cookies: session.NewCookies(false), Now: now}
	service := &user.Service{Store: users, Passwords: users, Throttle: store.Throttle{DB: db}, Tx: db, Now: now}
	mux := http.NewServeMux()
	device.Pages{
		Codes: h.codes, Requests: h.devices, SignIns: h, Limits: service, Users: service, Applications: apps, Sessions: sessions, Pages: pages,
		Address: func(*http.Request) string { return h.address }, Log: slog.New(slog.DiscardHandler), Now: now,
	}.Mount(mux)
	mux.HandleFunc("GET /sign-in-as-ada", func(w http.ResponseWriter, r *http.Request) {
		_, cookie, err := sessions.Start(r.Context(), r, "u1", "pwd")
		must(t, err)
		http.SetCookie(w, cookie)
	})
	h.server = httptest.NewServer(mux)
	t.Cleanup(h.server.Close)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asks stores a request of the device and returns its hash.
func (h *house) asks(code device.UserCode) []byte {
	h.t.Helper()
	hash := []byte("hash of " + code)
	must(h.t, h.devices.Add(h.t.Context(), device.Request{
		Hash: hash, UserCode: h.codes.Digest(code), Client: "tv", Scopes: []string{"openid", "email", "watch"}, Resources: []string{"https://tv.example"}, Network: "192.0.2.0/24",
		Interval: 5 * time.Second, CreatedAt: h.now, ExpiresAt: h.now.Add(10 * time.Minute), KeepUntil: h.now.Add(time.Hour),
	}))
	return hash
}

func (h *house) outcome(hash []byte) device.Outcome {
	h.t.Helper()
	r, err := h.devices.Request(h.t.Context(), hash)
	must(h.t, err)
	return r.Outcome
}

// person is somebody's browser.
type person struct {
	*house
	*browser.Browser
	page *browser.Page
}

func (h *house) person() *person { return &person{house: h, Browser: browser.New()} }

func (p *person) open(path string) *person {
	p.t.Helper()
	page, err := p.Get(p.t.Context(), p.server.URL+path)
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) types(code string) *person {
	p.t.Helper()
	page, err := p.Submit(p.t.Context(), p.open("/device").page, "/device", map[string]string{"user_code": code})
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) answers(answer string) *person {
	p.t.Helper()
	page, err := p.Submit(p.t.Context(), p.page, "/device", map[string]string{"answer": answer})
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) reads(status int, texts ...string) *person {
	p.t.Helper()
	for _, text := range texts {
		if p.page.Status != status || !strings.Contains(p.page.Text, text) {
			p.t.Errorf("%s: %d %s; want %d with %q", p.page.URL, p.page.Status, p.page.Text, status, text)
		}
	}
	return p
}

func TestPersonConnectsADevice(t *testing.T) {
	h := newHouse(t)
	hash := h.asks("BCDFGHJK")
	ada := h.person()
	ada.open("/sign-in-as-ada")
	ada.types("bcdf ghjk").reads(200, "Living Room TV", "BCDF-GHJK", "the network you are in", "just now", "Signed in as ada", "your e-mail address", "watch", "access to https://tv.example in your name")
	if len(h.entered) != 0 {
		t.Fatal("the device was let in by looking")
	}
	ada.answers("continue").reads(200, "entered")
	if len(h.entered) != 1 || string(h.entered[0].Device) != string(hash) || h.entered[0].Client != "tv" || strings.Join(h.entered[0].Asks, " ") != `openid email watch resource\https://tv.example` {
		t.Errorf("sign-ins = %+v, want one for the device", h.entered)
	}
	if h.outcome(hash).Status != device.StatusPending {
		t.Error("the request is answered before the sign-in")
	}
}

// A link with the code in it still shows what is asked for, from where, and does
// nothing by itself: that is what a phisher sends.
func TestLinkNeedsAWord(t *testing.T) {
	h := newHouse(t)
	hash := h.asks("BCDFGHJK")
	h.address, h.now = "203.0.113.9", h.now.Add(3*time.Minute)
	mallory := h.person().open("/device?user_code=BCDF-GHJK").
		reads(200, "Is this your device?", "BCDF-GHJK", "somebody sent you", "another network than yours: 192.0.2.0/24", "3 min ago")
	if len(h.entered) != 0 || h.outcome(hash).Status != device.StatusPending {
		t.Fatal("opening the link did something")
	}
	mallory.answers("refuse").reads(200, "The device was refused")
	if got := h.outcome(hash); got.Status != device.StatusDenied || got.Error != "access_denied" || len(h.entered) != 0 {
		t.Errorf("outcome = %+v, want access_denied", got)
	}
	h.person().types("BCDF-GHJK").reads(422, "No device waits for this code")
}

// A form of another page, or for another code, answers nothing.
func TestForgedAnswer(t *testing.T) {
	h := newHouse(t)
	h.asks("BCDFGHJK")
	h.asks("LMNPQRST")
	p := h.person().types("BCDF-GHJK")
	p.page.Forms[0].Values.Set("user_code", "LMNP-QRST")
	p.answers("continue").reads(403, "form refused")
	if len(h.entered) != 0 {
		t.Error("a token for one code answered another")
	}
	res, err := p.Client.PostForm(h.server.URL+"/device", url.Values{"user_code": {"BCDF-GHJK"}, "answer": {"continue"}})
	must(t, err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden || len(h.entered) != 0 {
		t.Errorf("without a token: %d, %d sign-ins", res.StatusCode, len(h.entered))
	}
}

func TestCodesThatNobodyWaitsFor(t *testing.T) {
	h := newHouse(t)
	hash := h.asks("BCDFGHJK")
	for _, typed := range []string{"x", "BCDF-GHJL", strings.Repeat("B", 70)} {
		h.person().open("/device?user_code="+typed).reads(422, "No device waits for this code")
	}
	h.now = h.now.Add(10 * time.Minute)
	h.person().types("BCDF-GHJK").reads(422, "No device waits for this code")
	if h.outcome(hash).Status != device.StatusPending {
		t.Error("looking changed the request")
	}
}

// Whoever guesses codes is held up, with links and forms alike; people in other
// networks, and who is signed in, are not. A right code costs nothing.
func TestGuessesAreFew(t *testing.T) {
	h := newHouse(t)
	h.asks("BCDFGHJK")
	ada := h.person()
	ada.open("/sign-in-as-ada")
	for range 15 {
		h.person().types("BCDF-GHJK").reads(200, "Is this your device?")
	}
	thief := h.person()
	for range 10 {
		thief.types("LMNP-QRST").reads(422, "No device")
	}
	thief.types("BCDF-GHJK").reads(429, "Too many wrong codes", "Sign in first")
	h.person().open("/device?user_code=BCDF-GHJK").reads(429, "Too many wrong codes")
	if thief.page.Header.Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	h.person().open("/device/sign-in").reads(200, "sign in for /device")
	ada.types("BCDF-GHJK").reads(200, "Is this your device?")
	h.address = "198.51.100.1"
	h.person().types("BCDF-GHJK").reads(200, "Is this your device?")
	h.address = "192.0.2.1"
	h.now = h.now.Add(2 * time.Second)
	thief.types("BCDF-GHJK").reads(200, "Is this your device?")
}

// Pages of results say what happened, whatever the address says.
func TestResults(t *testing.T) {
	h := newHouse(t)
	for result, want := range map[string]int{"approved": 200, "denied": 200, "expired": 410, "unavailable": 503, "failed": 500, "<b>": 500} {
		if p := h.person().open("/device/done?result=" + url.QueryEscape(result)); p.page.Status != want || strings.Contains(p.page.Text, "device."+result) {
			t.Errorf("%s: %d %s, want %d", result, p.page.Status, p.page.Text, want)
		}
	}
}
