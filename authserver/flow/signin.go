package flow

import (
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
)

// ID identifies a sign-in. It may appear in URLs: without the browser's cookie
// it is worth nothing.
type ID string

// AuthorizeRequest is a validated authorization request, as far as the flow
// needs it. Package op made it and rebuilds its own request from Form.
type AuthorizeRequest struct {
	Client      provisioning.ClientID
	Form        url.Values // complete; of its parameters resource alone may be there several times
	RedirectURI string     // validated
	Scopes      []string
	Asks        []string // what consent is about: the scopes, those of requested claims, and resource servers
	Prompt      []string // any of none, login, create, consent
	// MaxAge is nil when the request has none; 0 asks for a fresh sign-in.
	MaxAge    *time.Duration
	LoginHint string
	UILocales string
	// Pushed names the pushed request this one is, for package op; nil if it was not
	// pushed.
	Pushed []byte
	// Device names the device's request that this one is for, for package op; nil for
	// an application's own. It has neither Form nor RedirectURI: the answer is for the
	// device to fetch.
	Device []byte
	// Return is a path of this server, for a sign-in that no application asked for:
	// the user wants a page of ours. Such a sign-in has no Client, is never issued,
	// and ends by going there.
	Return string
}

// Has reports whether the request's prompt has the value.
func (r AuthorizeRequest) Has(prompt string) bool {
	for _, p := range r.Prompt {
		if p == prompt {
			return true
		}
	}
	return false
}

// Status says whether a sign-in can still move.
type Status string

// The statuses of a sign-in.
const (
	StatusOpen   Status = "open"
	StatusIssued Status = "issued" // its one response was made
	StatusEnded  Status = "ended"  // an error went to the application
)

// SignIn is one authorization request on its way: one row, bound to the browser
// that started it. Every transition is a compare-and-set on Version, so any
// instance can answer any request and a second tab joins the first.
type SignIn struct {
	ID        ID
	Version   int64 // 0 while it was not stored yet
	Reference string
	Request   AuthorizeRequest
	Browser   []byte // hash of the browser's key
	Status    Status

	User provisioning.UserID // "" until authenticated
	// AuthTime is when the user proved who they are (the id_token's auth_time),
	// which may be before this sign-in when a session was there.
	AuthTime time.Time
	// Fresh is set when the user authenticated within this sign-in.
	Fresh bool
	// Proven is who gave the right password and has to give a code yet, ProvenAt when
	// they did; "" if there is nobody.
	Proven   provisioning.UserID
	ProvenAt time.Time
	// Identity is whom an upstream vouched for, sealed, while a code or the person's
	// confirmation is still to come; empty if there is nobody.
	Identity []byte
	Session  string // id hash of the SSO session the sign-in runs under

	ProvisionStart time.Time            // when the gate first said wait; zero before
	Deadline       time.Time            // when waiting turns into a failure
	Failure        provisioning.Failure // why the gate denied, as recorded; zero while it does not
	Decision       provisioning.DecisionID
	// Consented is set when the user allowed, within this sign-in, what is asked for.
	Consented bool
	// Leave is set when the user chose to go back to the application.
	Leave bool

	// SID and AMR are the browser's session's in this step: its id for applications,
	// and how its user proved who they are (RFC 8176). They are not stored here.
	SID string
	AMR []string
	// Alias is what the application knows user and session by: whoever mints sets it
	// before [Driver.Issued]. It is not stored here.
	Alias subject.Alias

	Response  []byte // the sealed redirect, kept shortly for a reload
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // when it was issued or ended; zero before

	// clientRevision is the application's revision this step was decided under.
	clientRevision int64
	// hearsLogout is set when the application wants to know when the session ends.
	hearsLogout bool
	// address is the browser's IP address in this step.
	address string
}

// Action is what a sign-in needs next.
type Action string

// The actions, in the order of a sign-in's life.
const (
	ActionAuthenticate Action = "authenticate"  // show /sign-in
	ActionSecondFactor Action = "second_factor" // show /sign-in/code
	ActionConfirm      Action = "confirm"       // show /sign-in/confirm
	ActionRegister     Action = "register"      // show /register
	ActionConsent      Action = "consent"       // show /consent
	ActionProvision    Action = "provision"     // ask the gate
	ActionWait         Action = "wait"          // show /wait
	ActionIssue        Action = "issue"         // mint the response
	ActionReplay       Action = "replay"        // send the stored response again
	ActionFail         Action = "fail"          // send Step.Error to the application
	ActionExpired      Action = "expired"       // show that it is over
	ActionReturn       Action = "return"        // go to the page of ours it was for
)

// Step is what comes next, and for ActionFail the OAuth error to send.
type Step struct {
	Action      Action
	Error       string // RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6
	Description string // short, for developers, no internals
	Response    string // for ActionReplay: what was sent before
}
