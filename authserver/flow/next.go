package flow

import (
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The OAuth errors a sign-in can end in (RFC 6749 section 4.1.2.1, OpenID
// Connect Core 1.0 section 3.1.2.6).
const (
	errorAccessDenied        = "access_denied"
	errorUnavailable         = "temporarily_unavailable"
	errorServer              = "server_error"
	errorLoginRequired       = "login_required"
	errorConsentRequired     = "consent_required"
	errorInteractionRequired = "interaction_required"
)

// The values of prompt the flow knows; create is of Initiating User Registration
// via OpenID Connect 1.0.
const (
	promptNone   = "none"
	promptLogin  = "login"
	promptCreate = "create"

	promptConsent = "consent"
)

// replayFor is how long a reload gets the same response again.
const replayFor = 30 * time.Second

// codeFor is how long after the right password a code is accepted.
const codeFor = 10 * time.Minute

// State is everything Next looks at.
type State struct {
	SignIn SignIn
	Now    time.Time
	// Session is the browser's live session of a user who may sign in; the zero
	// Session if there is none.
	Session session.Session
	// Registration is set when the application lets people register.
	Registration bool
	// AsksConsent is set when the application's users are asked; Remembered when this
	// one allowed all of it before.
	AsksConsent, Remembered bool
	// Decision is the gate's answer; nil while it was not asked.
	Decision *provisioning.Decision
}

// Next says what a sign-in needs next. It is pure: the same state gives the same
// step, on every instance.
func Next(s State) Step {
	switch {
	case s.SignIn.Status == StatusIssued && s.Now.Sub(s.SignIn.EndedAt) <= replayFor && len(s.SignIn.Response) > 0:
		return Step{Action: ActionReplay}
	case s.SignIn.Status != StatusOpen:
		return Step{Action: ActionExpired}
	case !s.Now.Before(s.SignIn.ExpiresAt):
		return s.page(ActionExpired, errorInteractionRequired, "the request took too long")
	case s.SignIn.Leave:
		return left(s.SignIn.Failure)
	case !s.authenticated():
		return s.authenticate()
	case s.SignIn.Request.Return != "":
		return Step{Action: ActionReturn}
	case s.mustConsent():
		return s.page(ActionConsent, errorConsentRequired, "the user must consent")
	case s.Decision == nil:
		return Step{Action: ActionProvision}
	default:
		return s.provisioned()
	}
}

// page shows a page, or fails with an error when the request forbids pages.
func (s State) page(action Action, code, description string) Step {
	if s.SignIn.Request.Has(promptNone) {
		return Step{Action: ActionFail, Error: code, Description: description}
	}
	return Step{Action: action}
}

// mustConsent reports whether the user is to be asked: what was allowed before is
// not asked about again, unless the application wants that. An answer in this very
// sign-in is remembered with it, so one that is not was withdrawn meanwhile.
func (s State) mustConsent() bool {
	if !s.AsksConsent {
		return false
	}
	return !s.Remembered || s.SignIn.Request.Has(promptConsent) && !s.SignIn.Consented
}

func (s State) authenticate() Step {
	action := ActionAuthenticate
	if in := s.SignIn; in.Proven != "" && s.Now.Sub(in.ProvenAt) < codeFor {
		action = ActionSecondFactor
	} else if in.Proven == "" && len(in.Identity) > 0 {
		action = ActionConfirm
	} else if s.SignIn.Request.Has(promptCreate) && s.Registration {
		action = ActionRegister
	}
	return s.page(action, errorLoginRequired, "the user is not signed in")
}

// authenticated reports whether the sign-in runs under the browser's session and
// the user proved themselves as freshly as the request asks.
func (s State) authenticated() bool {
	in := s.SignIn
	if in.User == "" || in.Session == "" || in.Session != s.Session.ID || in.User != s.Session.User {
		return false
	}
	if in.Fresh {
		return true
	}
	if in.Request.Has(promptLogin) || in.Request.Has(promptCreate) {
		return false
	}
	maxAge := in.Request.MaxAge
	return maxAge == nil || *maxAge > 0 && in.CreatedAt.Sub(in.AuthTime) <= *maxAge
}

func (s State) provisioned() Step {
	switch s.Decision.Verdict {
	case provisioning.VerdictPermit:
		return Step{Action: ActionIssue}
	case provisioning.VerdictWait:
		return s.page(ActionWait, errorInteractionRequired, "an account the application needs is being prepared")
	case provisioning.VerdictDeny:
		code, description := OAuthError(s.Decision.Failure.Code)
		return s.page(ActionWait, code, description)
	default:
		return Step{Action: ActionFail, Error: errorServer, Description: "the sign-in cannot go on"}
	}
}

// left is what the application hears when the user went back: why they could not
// go on, or that they did not want to.
func left(f provisioning.Failure) Step {
	if f.Code == "" {
		return Step{Action: ActionFail, Error: errorAccessDenied, Description: "the user went back to the application"}
	}
	code, description := OAuthError(f.Code)
	return Step{Action: ActionFail, Error: code, Description: description}
}

// OAuthError is the one table from a gate failure to what the application receives: an
// OAuth error and its description.
func OAuthError(code provisioning.FailureCode) (string, string) {
	switch code {
	case provisioning.FailureRefused:
		return errorAccessDenied, "the user cannot have an account the application needs"
	case provisioning.FailureUnavailable:
		return errorUnavailable, "an account the application needs could not be prepared in time"
	default:
		return errorServer, "an account the application needs could not be prepared"
	}
}

// under returns the sign-in as it stands under the browser's session: without a
// session nobody is signed in; a session of the same user that was renewed in
// another tab is followed; any other session takes over.
func (s SignIn) under(current session.Session) SignIn {
	switch {
	case s.Status != StatusOpen || s.Leave || s.Session == current.ID && s.User == current.User:
		return s
	case s.User != "" && s.User == current.User:
		s.Session = current.ID
		return s
	default:
		s = s.unprovisioned()
		s.Consented = false
		s.User, s.Session, s.AuthTime, s.Fresh = current.User, current.ID, current.AuthTime, false
		return s
	}
}

// unprovisioned forgets what the gate said.
func (s SignIn) unprovisioned() SignIn {
	s.ProvisionStart, s.Deadline, s.Failure, s.Leave = time.Time{}, time.Time{}, provisioning.Failure{}, false
	return s
}

// unproven forgets what was proven so far.
func (s SignIn) unproven() SignIn {
	s.Proven, s.ProvenAt, s.Identity = "", time.Time{}, nil
	return s
}
