package rp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// CallbackPath is where the server sends the browser back to: the redirect URI
// is BaseURL with it.
const CallbackPath = "/callback"

// Options configure an application.
type Options struct {
	Issuer       string
	ClientID     string
	ClientSecret string // "" for a public client
	BaseURL      string // where browsers reach the application, without a trailing slash
	Name         string // what its users call it
	Scopes       []string
	HTTPClient   *http.Client // one with a time limit when nil
	Logger       *slog.Logger
	Now          func() time.Time // time.Now when nil
}

// App is an http.Handler. Sign-ins and sessions are in memory.
type App struct {
	options Options
	logger  *slog.Logger
	handler http.Handler
	logins  *memory[login]
	people  *memory[person]

	mu       sync.Mutex
	provider *provider // nil until the issuer first answered
}

// provider is what discovery told.
type provider struct {
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	oidc     *oidc.Provider
	sendsIss bool // RFC 9207
}

// New returns an application. The issuer is not asked before the first sign-in:
// it may start later.
func New(o Options) *App {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 15 * time.Second}
	}
	if o.Scopes == nil {
		o.Scopes = []string{oidc.ScopeOpenID, "profile", "email", "provisioning"}
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	a := &App{
		options: o, logger: o.Logger,
		logins: newMemory[login](o.Now, loginTime), people: newMemory[person](o.Now, sessionTime),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.showHome)
	mux.HandleFunc("GET /login", a.startLogin)
	mux.HandleFunc("GET "+CallbackPath, a.finishLogin)
	mux.HandleFunc("POST /logout", a.logout)
	a.handler = http.NewCrossOriginProtection().Handler(mux)
	return a
}

// ServeHTTP serves the application.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// discovered returns the provider, asking the issuer until it has answered once.
func (a *App) discovered(ctx context.Context) (*provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.provider != nil {
		return a.provider, nil
	}
	// The provider keeps this context for fetching keys, so it must outlive the
	// request; the client's own timeout still applies.
	op, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), a.options.HTTPClient), a.options.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discover issuer: %w", err)
	}
	var more struct {
		SendsIss bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := op.Claims(&more); err != nil {
		return nil, fmt.Errorf("read discovery document: %w", err)
	}
	// The library would find out by trying, and so send a refused code twice.
	endpoint := op.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if a.options.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	a.provider = &provider{
		oauth: oauth2.Config{
			ClientID: a.options.ClientID, ClientSecret: a.options.ClientSecret, Endpoint: endpoint,
			RedirectURL: a.options.BaseURL + CallbackPath, Scopes: a.options.Scopes,
		},
		verifier: op.Verifier(&oidc.Config{ClientID: a.options.ClientID, Now: a.options.Now}),
		oidc:     op,
		sendsIss: more.SendsIss,
	}
	return a.provider, nil
}

// login is a sign-in that has begun, kept under its state parameter. It belongs
// to the browser that began it; several tabs may each have one.
type login struct {
	browser, nonce, verifier string
}

// startLogin sends the browser to the server.
func (a *App) startLogin(w http.ResponseWriter, r *http.Request) {
	p, err := a.discovered(r.Context())
	if err != nil {
		a.logger.Warn("cannot start sign-in", "error", err)
		a.showProblem(w, http.StatusBadGateway, problem{Title: "The sign-in service does not answer", Text: "Please try again in a moment."})
		return
	}
	l := login{browser: cmp.Or(a.cookie(r, browserCookie), rand.Text()), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	state := a.logins.put(l)
	a.setCookie(w, browserCookie, l.browser, sessionTime)
	options := []oauth2.AuthCodeOption{oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier)}
	if r.URL.Query().Get("prompt") == "create" {
		options = append(options, oauth2.SetAuthURLParam("prompt", "create"))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, p.oauth.AuthCodeURL(state, options...), http.StatusSeeOther)
}

// finishLogin takes the server's answer.
func (a *App) finishLogin(w http.ResponseWriter, r *http.Request) {
	p, err := a.discovered(r.Context())
	if err != nil {
		a.logger.Warn("cannot finish sign-in", "error", err)
		a.showProblem(w, http.StatusBadGateway, problem{Title: "The sign-in service does not answer", Text: "Please try again in a moment."})
		return
	}
	l, ok := a.logins.take(r.URL.Query().Get("state"))
	if !ok || l.browser != a.cookie(r, browserCookie) {
		a.showProblem(w, http.StatusBadRequest, problem{Title: "This sign-in was not started here", Text: "It may be too old, or from another browser."})
		return
	}
	if iss := r.URL.Query().Get("iss"); iss != a.options.Issuer && (iss != "" || p.sendsIss) {
		a.logger.Warn("answer of another issuer", "issuer", iss)
		a.showProblem(w, http.StatusBadRequest, problem{Title: "The answer came from another service", Text: "It was not used."})
		return
	}
	if code := r.URL.Query().Get("error"); code != "" {
		a.showProblem(w, http.StatusOK, refusal(r.URL.Query()))
		return
	}
	who, err := a.exchange(r.Context(), p, l, r.URL.Query().Get("code"))
	if err != nil {
		a.logger.Warn("sign-in failed", "error", err)
		a.showProblem(w, http.StatusBadGateway, exchangeProblem(err))
		return
	}
	a.setCookie(w, sessionCookie, a.people.put(who), sessionTime)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// exchange turns the code into verified claims.
func (a *App) exchange(ctx context.Context, p *provider, l login, code string) (person, error) {
	ctx = oidc.ClientContext(ctx, a.options.HTTPClient)
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(l.verifier))
	if err != nil {
		return person{}, fmt.Errorf("exchange code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return person{}, fmt.Errorf("verify id token: %w", err)
	}
	if idToken.Nonce != l.nonce {
		return person{}, errors.New("verify id token: the nonce is not ours")
	}
	claims := map[string]any{}
	if err := idToken.Claims(&claims); err != nil {
		return person{}, fmt.Errorf("read id token: %w", err)
	}
	info, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return person{}, fmt.Errorf("fetch userinfo: %w", err)
	}
	if info.Subject != idToken.Subject {
		return person{}, errors.New("fetch userinfo: it is about somebody else")
	}
	told := map[string]any{}
	if err := info.Claims(&told); err != nil {
		return person{}, fmt.Errorf("read userinfo: %w", err)
	}
	return newPerson(claims, told), nil
}

func (a *App) logout(w http.ResponseWriter, r *http.Request) {
	a.people.take(a.cookie(r, sessionCookie))
	a.setCookie(w, sessionCookie, "", -1)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refusal explains an error response (RFC 6749, 4.1.2.1).
func refusal(query url.Values) problem {
	p := problem{Title: "You are not signed in", Code: query.Get("error"), Detail: query.Get("error_description")}
	switch p.Code {
	case "access_denied":
		p.Title, p.Text = "You were not let in", "Ask your administrator for access."
	case "temporarily_unavailable":
		p.Title, p.Text = "Not possible right now", "Something you need is not ready yet. Please try again in a few minutes."
	case "interaction_required", "login_required", "consent_required":
		p.Title = "You have to sign in yourself"
	}
	return p
}

// exchangeProblem shows the error code of a token response, and nothing else of
// what went wrong behind the scenes.
func exchangeProblem(err error) problem {
	p := problem{Title: "The sign-in did not work", Text: "The application could not verify the answer."}
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode != "" {
		p.Code, p.Detail = refused.ErrorCode, refused.ErrorDescription
	}
	return p
}
