package web_test

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/web"
)

func renderer(t *testing.T) *web.Renderer {
	t.Helper()
	v, err := web.NewRenderer("Anteroom", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// hostile is text that would break out of every context it is shown in.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`

func form() web.Form {
	return web.Form{Action: "/x", Token: hostile, SignIn: hostile, Client: hostile}
}

// pages renders every page with hostile values.
func pages(t *testing.T) map[string]*httptest.ResponseRecorder {
	t.Helper()
	v := renderer(t)
	en := v.Texts(&http.Request{}, "")
	out := map[string]*httptest.ResponseRecorder{}
	write := func(name string, f func(w http.ResponseWriter)) {
		out[name] = httptest.NewRecorder()
		f(out[name])
	}
	about := web.AppAbout{App: hostile, Policy: "javascript:alert(1)", Terms: "https://app.example/?x=" + url.QueryEscape(hostile), To: hostile}
	write("sign_in", func(w http.ResponseWriter) {
		v.SignIn(w, en, 200, web.SignInPage{Form: form(), App: hostile, About: about, Login: hostile, Problem: hostile, Register: "/register", Recover: "/recover", Passkey: &web.PasskeyForm{Form: form(), Challenge: hostile, Page: hostile}})
	})
	write("register", func(w http.ResponseWriter) {
		v.Register(w, en, 200, web.RegisterPage{Form: form(), App: hostile, Failed: true, SignInURL: "/sign-in", Fields: []web.Field{
			{Name: "login", Label: hostile, Type: "text", Value: hostile, Autocomplete: "username", Problem: hostile, Required: true, Focus: true, Plain: true},
			{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Hint: hostile},
		}})
	})
	write("confirm", func(w http.ResponseWriter) {
		v.Confirm(w, en, 200, web.ConfirmPage{Form: form(), Upstream: hostile, Failed: true, Restart: "/sign-in", Fields: []web.Field{
			{Name: "login", Label: hostile, Type: "text", Value: hostile, Autocomplete: "username", Problem: hostile, Required: true, Focus: true, Plain: true},
			{Name: "email", Label: "E-mail", Type: "email", Value: hostile, Autocomplete: "email", Hint: hostile, ReadOnly: true},
		}})
	})
	for _, state := range []web.WaitState{web.WaitWorking, web.WaitFailed} {
		write("wait "+string(state), func(w http.ResponseWriter) {
			v.Wait(w, en, web.WaitPage{App: hostile, Events: "/wait/events?sign_in=x", Retry: form(), Leave: form(), WaitStatus: web.WaitStatus{
				State: state, Title: hostile, Text: hostile, Reference: hostile, Lines: []web.WaitLine{{Target: hostile, Progress: "working", Text: hostile}},
			}})
		})
	}
	facts := []web.Fact{{Name: hostile, Value: hostile}}
	write("account", func(w http.ResponseWriter) {
		v.Account(w, en, web.AccountPage{Done: hostile, Verify: &web.Form{Action: "/account/verify", Token: hostile}, Facts: facts, Systems: facts, Links: []web.Link{{URL: "/account/password", Text: hostile}}})
	})
	write("password", func(w http.ResponseWriter) {
		v.Password(w, en, 200, web.PasswordPage{Form: form(), Login: hostile, Failed: true, Fields: []web.Field{
			{Name: "password", Label: hostile, Type: "password", Autocomplete: "new-password", Problem: hostile},
		}})
	})
	write("sessions", func(w http.ResponseWriter) {
		v.Sessions(w, en, web.SessionsPage{Form: form(), Others: true, Sessions: []web.SessionRow{
			{ID: "a", Browser: hostile, Address: hostile, Since: hostile, Used: hostile, Current: true}, {ID: "b", Browser: hostile},
		}})
	})
	write("permissions", func(w http.ResponseWriter) {
		v.Permissions(w, en, web.PermissionsPage{Form: form(), Permissions: []web.PermissionRow{{Client: hostile, App: hostile, Since: hostile, Asks: []string{hostile}}}})
	})
	write("passkeys", func(w http.ResponseWriter) {
		v.Passkeys(w, en, 200, web.PasskeysPage{
			Done: hostile, Problem: hostile, Passkeys: []web.PasskeyRow{{ID: hostile, Name: hostile, Text: hostile, Warning: hostile}},
			Add: web.PasskeyForm{Form: form(), Challenge: hostile, Page: hostile}, Rename: form(), Remove: form(),
			Field: web.Field{Name: "name", Label: hostile, Type: "text", Value: hostile, Problem: hostile},
		})
	})
	write("methods", func(w http.ResponseWriter) {
		v.Links(w, en, 200, web.LinksPage{
			Done: hostile, Problem: hostile, Facts: facts, Links: []web.LinkRow{{Issuer: hostile, Subject: hostile, Name: hostile, Text: hostile}},
			Offered: []web.UpstreamButton{{Name: hostile, Text: hostile}}, Link: form(), Unlink: form(),
		})
	})
	write("delete", func(w http.ResponseWriter) {
		v.Delete(w, en, 200, web.DeletePage{Form: form(), Login: hostile, Systems: facts, Failed: true})
	})
	write("recover", func(w http.ResponseWriter) {
		v.Recover(w, en, 200, web.RecoverPage{
			LinkForm: web.LinkForm{Form: form(), Link: hostile}, Title: hostile, Lead: "verify.lead", Submit: hostile, Login: hostile, Email: hostile,
			Fields: []web.Field{{Name: "password", Label: hostile, Type: "password", Autocomplete: "new-password", Problem: hostile}},
		})
	})
	write("consent", func(w http.ResponseWriter) {
		v.Consent(w, en, web.ConsentPage{Form: form(), App: hostile, About: about, Login: hostile, Asks: []string{hostile}})
	})
	write("device", func(w http.ResponseWriter) {
		v.Device(w, en, 422, web.DevicePage{Action: "/device", Code: hostile, Problem: hostile, SignIn: "/device/sign-in"})
	})
	write("device_confirm", func(w http.ResponseWriter) {
		v.DeviceConfirm(w, en, web.DeviceConfirmPage{Form: form(), App: hostile, Code: hostile, Login: hostile, Asks: []string{hostile}, Network: hostile, Minutes: 2})
	})
	write("code", func(w http.ResponseWriter) {
		v.Code(w, en, 200, web.CodePage{Form: form(), Restart: "/sign-in", Field: web.Field{Name: "code", Label: hostile, Type: "text", Problem: hostile}})
	})
	f, codeField := form(), web.Field{Name: "code", Label: hostile, Type: "text", Problem: hostile}
	for name, page := range map[string]web.SecondFactorPage{
		"off": {Begin: &f}, "pending": {Confirm: &f, QR: "data:image/png;base64,AA==", Secret: hostile, Field: codeField}, "on": {Remove: &f}, "codes": {Codes: []string{hostile}},
	} {
		write("second_factor "+name, func(w http.ResponseWriter) { v.SecondFactor(w, en, 200, page) })
	}
	write("sign_out", func(w http.ResponseWriter) { v.SignOut(w, en, web.SignOutPage{Form: form()}) })
	write("form_post", func(w http.ResponseWriter) {
		v.FormPost(w, en, web.FormPostPage{Action: "https://app.example/cb?x=" + url.QueryEscape(hostile), Fields: url.Values{"code": {hostile}, hostile: {"x"}}})
	})
	write("signing_out", func(w http.ResponseWriter) {
		v.SigningOut(w, en, web.SigningOutPage{Frames: []string{"https://app.example/out?sid=" + url.QueryEscape(hostile)}, Next: "https://app.example/after?x=" + url.QueryEscape(hostile)})
	})
	write("message", func(w http.ResponseWriter) {
		v.Message(w, en, web.MessagePage{Status: 403, Title: hostile, Text: hostile, Reference: hostile, Link: "javascript:alert(1)", LinkText: hostile})
	})
	return out
}

func TestPagesEscape(t *testing.T) {
	for name, w := range pages(t) {
		if w.Code >= 500 {
			t.Errorf("%s: status %d: %s", name, w.Code, w.Body)
		}
		for n := range parse(t, w).Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
				t.Errorf("%s: an inline script", name)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
					t.Errorf("%s: attribute %s=%q, which the policy forbids", name, a.Key, a.Val)
				}
			}
		}
	}
}

// What every page owes to people who do not see it as we do.
func TestPagesAreAccessible(t *testing.T) {
	for name, w := range pages(t) {
		root, count := parse(t, w), map[string]int{}
		labels, ids := map[string]bool{}, map[string]bool{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			count[n.Data]++
			if id := attr(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: id %s is there twice", name, id)
				}
				ids[id] = true
			}
			if n.Data == "label" {
				labels[attr(n, "for")] = true
			}
			if n.Data == "html" && attr(n, "lang") != "en" {
				t.Errorf("%s: lang is %q", name, attr(n, "lang"))
			}
		}
		for _, once := range []string{"h1", "main", "title"} {
			if count[once] != 1 {
				t.Errorf("%s: %d elements %s, want 1", name, count[once], once)
			}
		}
		for n := range root.Descendants() {
			if n.Data == "input" && attr(n, "type") != "hidden" && !labels[attr(n, "id")] {
				t.Errorf("%s: input %s has no label", name, attr(n, "name"))
			}
			if by := attr(n, "aria-describedby"); by != "" && !ids[by] {
				t.Errorf("%s: described by %s, which is not there", name, by)
			}
		}
		if strings.HasPrefix(name, "wait") && !strings.Contains(w.Body.String(), `aria-live="polite"`) {
			t.Errorf("%s: nothing tells a screen reader of news", name)
		}
	}
}

func TestHeaders(t *testing.T) {
	for name, w := range pages(t) {
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %s", name, csp, want)
			}
		}
		leaves := slices.Contains([]string{"sign_in", "register", "wait working", "wait failed", "form_post", "consent", "code", "methods", "confirm", "device_confirm"}, name)
		if got := strings.Contains(csp, "form-action 'self'"); got == leaves {
			t.Errorf("%s: form-action 'self' is %v", name, got)
		}
		if got := strings.Contains(csp, "; frame-src https://app.example"); got != (name == "signing_out") {
			t.Errorf("%s: policy %q", name, csp)
		}
		for header, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: policy %q, caching %q", name, csp, w.Header().Get("Cache-Control"))
		}
	}
}

// Every key a template asks for has a text.
func TestTextsAreComplete(t *testing.T) {
	keys := regexp.MustCompile(`\{\{t "([a-z_.]+)"`)
	texts := renderer(t).Texts(&http.Request{}, "")
	err := fs.WalkDir(os.DirFS("templates"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile("templates/" + name)
		for _, m := range keys.FindAllStringSubmatch(string(raw), -1) {
			if !texts.Has(m[1]) {
				t.Errorf("%s: no text for %s", name, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every language has the placeholders of the English text, and no key of its own.
func TestTextsAgree(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	english := readTexts(t, "en.json")
	files, err := os.ReadDir("texts")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for key, text := range readTexts(t, f.Name()) {
			want, got := placeholder.FindAllString(english[key], -1), placeholder.FindAllString(text, -1)
			slices.Sort(want)
			slices.Sort(got)
			if _, known := english[key]; !known || !slices.Equal(want, got) || text == "" {
				t.Errorf("%s: %s has placeholders %v, want %v", f.Name(), key, got, want)
			}
		}
	}
}

func readTexts(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("texts/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestTexts(t *testing.T) {
	en := renderer(t).Texts(&http.Request{}, "")
	if got := en.T("wait.leave", "app", "{app} & co"); got != "Back to {app} & co" {
		t.Errorf("T = %q", got)
	}
	if got := en.Or("no.such.key", "plain {x}", "x", 1); got != "plain 1" {
		t.Errorf("Or = %q", got)
	}
}

func TestStaticFiles(t *testing.T) {
	mux := http.NewServeMux()
	v := renderer(t)
	v.Mount(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	urls := regexp.MustCompile(`/static/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)`).FindAllString(w.Body.String(), -1)
	if len(urls) < 3 || w.Code != http.StatusOK {
		t.Fatalf("landing page (%d) names %v", w.Code, urls)
	}
	kinds := map[string]string{"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
	for _, u := range urls {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, u, nil))
		kind := kinds[u[strings.LastIndexByte(u, '.')+1:]]
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %v", u, w.Code, w.Header())
		}
	}
	for _, bad := range []string{"/static/app.css", "/static/../renderer.go", "/static/"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, bad, nil))
		if w.Code == http.StatusOK {
			t.Errorf("%s is served", bad)
		}
	}
}

func FuzzLanguages(f *testing.F) {
	f.Add("de-CH,de;q=0.9,en;q=0.8,*;q=0.5", "fr de")
	f.Add(";q=,,;;q=1,-", "---")
	v, err := web.NewRenderer("Anteroom", slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, accept, locales string) {
		r := &http.Request{Header: http.Header{"Accept-Language": {accept}}}
		if got := v.Texts(r, locales); !got.Has("sign_in.title") {
			t.Errorf("language %q has no texts", got.Lang)
		}
	})
}

func parse(t *testing.T, w *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
