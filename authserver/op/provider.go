package op

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The paths of the endpoints.
const (
	PathDiscovery      = "/.well-known/openid-configuration"
	PathServerMetadata = "/.well-known/oauth-authorization-server"
	PathAuthorize      = "/oauth2/authorize"
	PathResume         = flow.ResumePath
	PathToken          = "/oauth2/token"
	PathUserinfo       = "/oauth2/userinfo"
	PathPushed         = "/oauth2/par"
	PathDevice         = "/oauth2/device_authorization"
	PathIntrospect     = "/oauth2/introspect"
	PathRevoke         = "/oauth2/revoke"
	PathLogout         = "/oauth2/logout"
	PathKeys           = "/oauth2/jwks"
)

// paramSignIn is what the flow's links to PathResume carry.
const paramSignIn = "sign_in"

// The protocol's words.
const (
	scopeOpenID           = "openid"
	scopeProfile          = "profile"
	scopeEmail            = "email"
	scopePhone            = "phone"
	scopeOfflineAccess    = "offline_access"
	scopeProvisioning     = "provisioning"
	responseTypeCode      = "code"
	methodS256            = "S256"
	claimProvisioned      = "provisioned"
	claimSID              = "sid"
	bearer                = "Bearer"
	schemeDPoP            = "DPoP"
	headerWWWAuthenticate = "WWW-Authenticate"
)

// defaultRetryAfter is told to clients when nothing says when work is tried next.
const defaultRetryAfter = 2 * time.Second

// SignIns is the sign-in between an authorization request and its answer;
// *flow.Driver is one.
type SignIns interface {
	// Begin starts a sign-in for a validated request.
	Begin(w http.ResponseWriter, r *http.Request, req flow.AuthorizeRequest) (*flow.SignIn, flow.Step, error)
	// Resume goes on with one. Errors: flow.ErrUnknown, flow.ErrForeign.
	Resume(w http.ResponseWriter, r *http.Request, id flow.ID) (*flow.SignIn, flow.Step, error)
	// Permit asks the gate inside the transaction in ctx and re-checks session,
	// user and application; flow.ErrNotYet when the sign-in cannot go on now.
	Permit(ctx context.Context, s *flow.SignIn) (provisioning.Permit, error)
	// Issued records the response inside the transaction in ctx; flow.ErrStale when
	// another request was first.
	Issued(ctx context.Context, s *flow.SignIn, permit provisioning.Permit, response string) error
	// Ended records that an error went to the application; flow.ErrStale when
	// another request was first.
	Ended(ctx context.Context, s *flow.SignIn) error
}

// SignOuts ends sessions of the browser; *flow.Driver is one.
type SignOuts interface {
	// SignOut asks the person unless the request leaves no doubt, ends the session
	// and sends the browser on. It writes the response if the error is nil.
	SignOut(w http.ResponseWriter, r *http.Request, req flow.SignOutRequest) error
}

// Gate decides on the grants that have no sign-in; *provisioning.Gate is one.
type Gate interface {
	// Permit decides and records. The Permit is usable only if the verdict is
	// permit.
	Permit(ctx context.Context, r provisioning.Request) (provisioning.Permit, provisioning.Decision, error)
	// Start makes the work due that a verdict of wait is about.
	Start(ctx context.Context, r provisioning.Request) (provisioning.Decision, error)
	// Wait blocks until the verdict is no longer wait or ctx ends; the latter is
	// not an error.
	Wait(ctx context.Context, r provisioning.Request) (provisioning.Decision, error)
}

// Account is a user's account in a target, as an application may see it.
type Account struct {
	ID    string             `json:"id"` // the target's; "" while there is none
	State provisioning.State `json:"state"`
}

// Accounts reads a user's accounts for scope provisioning.
type Accounts interface {
	// Provisioned returns the user's accounts in the application's targets.
	Provisioned(ctx context.Context, client provisioning.ClientID, user provisioning.UserID) (map[provisioning.TargetName]Account, error)
}

// Subjects names users and sessions to applications; *subject.Service is one.
type Subjects interface {
	// Alias returns what the application knows the user and the session by. It may
	// write, in ctx's transaction.
	Alias(ctx context.Context, app application.Application, user provisioning.UserID, sid string) (subject.Alias, error)
	// User returns whom the application knows by that subject, or subject.ErrNone.
	User(ctx context.Context, app application.Application, sub string) (provisioning.UserID, error)
}

// Pages shows pages: where an error cannot go to the application, and to send it
// what a redirect cannot.
type Pages interface {
	// Error shows an error page with that HTTP status. The reference ties it to
	// the log.
	Error(w http.ResponseWriter, r *http.Request, status int, page ErrorPage)
	// FormPost shows a form that sends the fields to the application, by itself or by
	// its button.
	FormPost(w http.ResponseWriter, r *http.Request, action string, fields url.Values)
}

// ErrorPage says what went wrong, to a person.
type ErrorPage struct {
	Code        string // the protocol's error code, for a localised text
	Description string // English, for who integrates the application
	Reference   string
	App         string // the application's name; "" if it is not known
	Link        string // where the application begins a sign-in; "" if it told nobody
}

// CodeExpired is the one code of an [ErrorPage] that no specification has: the
// sign-in is over.
const CodeExpired = "expired"

// KeySet signs, verifies and publishes; *keys.Ring is one.
type KeySet interface {
	Keys
	// Public returns the keys to publish.
	Public() jose.JSONWebKeySet
}

// Options are the parts of a Provider. All from AdminClient on may be left out.
type Options struct {
	Issuer       string // an absolute URL without path, query or trailing slash
	Applications Applications
	Resources    ResourceServers
	Store        Store
	Pushed       PushedStore
	Assertions   AssertionStore
	Proofs       ProofStore
	Devices      device.Store
	UserCodes    device.Codes // the same as the page's for user codes
	ClientKeys   ClientKeys
	Keys         KeySet
	TokenKey     []byte // 32 bytes, HMAC of codes and tokens
	SignIns      SignIns
	SignOuts     SignOuts
	Gate         Gate
	Users        provisioning.Users
	Subjects     Subjects
	Accounts     Accounts
	Pages        Pages
	Log          *slog.Logger
	Now          func() time.Time
	// Address returns the client's IP address, whatever proxies are in front.
	Address func(*http.Request) string
	// Unavailable tells an error of a store that is down from any other.
	Unavailable func(error) bool
	// AdminClient is Anteroom's own application, which no target may lock out.
	AdminClient provisioning.ClientID
	// PushedLifetime is how long a pushed request can be begun; 0 takes
	// DefaultPushedLifetime.
	PushedLifetime time.Duration
	// RequirePushed refuses requests that were not pushed, of every application.
	RequirePushed bool
	// Registration is the path where applications register themselves; "" if they cannot.
	Registration string
	Lifetimes    Lifetimes // the zero value takes DefaultLifetimes
	// Hold is how long a refresh waits for accounts it needs before it answers 503;
	// 0 takes DefaultHold.
	Hold time.Duration
}

// DefaultHold is well below what clients wait for tokens.
const DefaultHold = 2 * time.Second

// Provider is the OpenID Connect provider.
type Provider struct {
	issuer         string
	apps           Applications
	resources      ResourceServers
	store          *fositeStore
	keys           KeySet
	tokens         Store
	fosite         *fosite.Fosite
	strategy       *chokePoint
	signIns        SignIns
	signOuts       SignOuts
	gate           Gate
	users          provisioning.Users
	subjects       Subjects
	accounts       Accounts
	pages          Pages
	log            *slog.Logger
	now            func() time.Time
	adminClient    provisioning.ClientID
	hold           time.Duration
	pushed         PushedStore
	pushedLifetime time.Duration
	requirePushed  bool
	assertions     AssertionStore
	proofs         ProofStore
	devices        device.Store
	userCodes      device.Codes
	address        func(*http.Request) string
	unavailable    func(error) bool
	clientKeys     ClientKeys
	metadata       metadata
	// decoyHash is compared when a client is unknown, so that it costs the same.
	decoyHash string
}

// New returns a provider. It reports every missing or wrong option.
func New(o Options) (*Provider, error) {
	if o.Lifetimes == (Lifetimes{}) {
		o.Lifetimes = DefaultLifetimes()
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("openid provider: %w", err)
	}
	p := &Provider{
		issuer: o.Issuer, apps: o.Applications, resources: o.Resources, keys: o.Keys, tokens: o.Store, signIns: o.SignIns, signOuts: o.SignOuts, gate: o.Gate,
		users: o.Users, subjects: o.Subjects, accounts: o.Accounts, pages: o.Pages, log: o.Log, now: o.Now, adminClient: o.AdminClient,
		hold: cmp.Or(o.Hold, DefaultHold), metadata: newMetadata(o),
		pushed: o.Pushed, pushedLifetime: cmp.Or(o.PushedLifetime, DefaultPushedLifetime), requirePushed: o.RequirePushed,
		assertions: o.Assertions, proofs: o.Proofs, clientKeys: o.ClientKeys, devices: o.Devices, userCodes: o.UserCodes, address: o.Address, unavailable: o.Unavailable,
		decoyHash: application.HashSecret(application.GenerateSecret()),
		store:     &fositeStore{store: o.Store, times: o.Lifetimes, now: o.Now},
	}
	config := newConfig(o.Issuer, o.Lifetimes, o.TokenKey, p.authenticate)
	p.strategy = newChokePoint(config, accessTokens{keys: o.Keys, issuer: o.Issuer, now: o.Now})
	p.fosite = newFosite(config, p.store, o.Devices, p.strategy, &signer{keys: o.Keys, now: o.Now})
	return p, nil
}

func (o Options) check() error {
	missing := map[string]bool{
		"Applications": o.Applications == nil, "Resources": o.Resources == nil, "Pushed": o.Pushed == nil, "Store": o.Store == nil, "Keys": o.Keys == nil, "SignIns": o.SignIns == nil,
		"SignOuts": o.SignOuts == nil, "Assertions": o.Assertions == nil, "Proofs": o.Proofs == nil, "ClientKeys": o.ClientKeys == nil,
		"Gate": o.Gate == nil, "Users": o.Users == nil, "Subjects": o.Subjects == nil, "Accounts": o.Accounts == nil, "Pages": o.Pages == nil,
		"Log": o.Log == nil, "Now": o.Now == nil, "Devices": o.Devices == nil, "UserCodes": len(o.UserCodes.Key) == 0, "Address": o.Address == nil, "Unavailable": o.Unavailable == nil,
	}
	var errs []error
	for name, is := range missing {
		if is {
			errs = append(errs, fmt.Errorf("%s is missing", name))
		}
	}
	if len(o.TokenKey) != hmacKeyBytes {
		errs = append(errs, fmt.Errorf("TokenKey must have %d bytes", hmacKeyBytes))
	}
	return errors.Join(append(errs, checkIssuer(o.Issuer), o.Lifetimes.check(), checkPushedLifetime(o.PushedLifetime))...)
}

// checkIssuer wants an origin: the well-known paths and cookies hang on it.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return errors.New("issuer must be an http or https URL")
	}
	if strings.TrimPrefix(issuer, u.Scheme+"://"+u.Host) != "" {
		return errors.New("issuer must have no path, query or trailing slash")
	}
	return nil
}

// Mount adds the endpoints to mux.
func (p *Provider) Mount(mux *http.ServeMux) {
	for path, h := range map[string]http.HandlerFunc{PathDiscovery: p.discovery, PathServerMetadata: p.discovery, PathKeys: p.publicKeys} {
		mux.HandleFunc("GET "+path, openToAll(h))
		mux.HandleFunc("OPTIONS "+path, preflight(http.MethodGet))
	}
	for path, h := range map[string]http.HandlerFunc{
		PathToken: p.token, PathPushed: p.push, PathDevice: p.authorizeDevice, PathRevoke: p.revoke,
	} {
		mux.HandleFunc("POST "+path, crossOrigin(h))
		mux.HandleFunc("OPTIONS "+path, preflight(http.MethodPost))
	}
	mux.HandleFunc("GET "+PathUserinfo, crossOrigin(p.userinfo))
	mux.HandleFunc("POST "+PathUserinfo, crossOrigin(p.userinfo))
	mux.HandleFunc("OPTIONS "+PathUserinfo, preflight(http.MethodGet, http.MethodPost))
	mux.HandleFunc("GET "+PathAuthorize, p.authorize)
	mux.HandleFunc("POST "+PathAuthorize, p.authorizeByPost)
	mux.HandleFunc("GET "+PathResume, p.resume)
	mux.HandleFunc("POST "+PathIntrospect, p.introspect)
	mux.HandleFunc("GET "+PathLogout, p.logout)
	mux.HandleFunc("POST "+PathLogout, p.logoutByPost)
}
