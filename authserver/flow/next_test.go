package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// ready is a state that may be issued: signed in under a session, in sync.
func ready() State {
	return State{
		Now: noon,
		SignIn: SignIn{
			Status: StatusOpen, User: "u1", Session: "s1", AuthTime: noon.Add(-time.Hour),
			CreatedAt: noon.Add(-time.Minute), ExpiresAt: noon.Add(time.Minute),
		},
		Session:  session.Session{ID: "s1", User: "u1", AuthTime: noon.Add(-time.Hour)},
		Decision: &provisioning.Decision{Verdict: provisioning.VerdictPermit},
	}
}

func decided(v provisioning.Verdict, code provisioning.FailureCode) *provisioning.Decision {
	return &provisioning.Decision{Verdict: v, Failure: provisioning.Failure{Code: code}}
}

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*State)
		want   Step
	}{
		"signed in and in sync":    {func(*State) {}, Step{Action: ActionIssue}},
		"gate not asked":           {func(s *State) { s.Decision = nil }, Step{Action: ActionProvision}},
		"work under way":           {func(s *State) { s.Decision = decided(provisioning.VerdictWait, "") }, Step{Action: ActionWait}},
		"denied":                   {func(s *State) { s.Decision = decided(provisioning.VerdictDeny, provisioning.FailureRefused) }, Step{Action: ActionWait}},
		"verdict nobody knows":     {func(s *State) { s.Decision = decided("perhaps", "") }, Step{Action: ActionFail, Error: "server_error"}},
		"nobody":                   {func(s *State) { s.SignIn.User = "" }, Step{Action: ActionAuthenticate}},
		"session gone":             {func(s *State) { s.Session = session.Session{} }, Step{Action: ActionAuthenticate}},
		"session of somebody else": {func(s *State) { s.Session.User = "u2" }, Step{Action: ActionAuthenticate}},
		"another session":          {func(s *State) { s.Session.ID = "s2" }, Step{Action: ActionAuthenticate}},
		"neither session":          {func(s *State) { s.Session, s.SignIn.Session = session.Session{User: "u1"}, "" }, Step{Action: ActionAuthenticate}},

		"consent asked for":  {func(s *State) { s.AsksConsent = true }, Step{Action: ActionConsent}},
		"consent given":      {func(s *State) { s.AsksConsent, s.Remembered, s.SignIn.Consented = true, true, true }, Step{Action: ActionIssue}},
		"consent withdrawn":  {func(s *State) { s.AsksConsent, s.SignIn.Consented = true, true }, Step{Action: ActionConsent}},
		"consent remembered": {func(s *State) { s.AsksConsent, s.Remembered = true, true }, Step{Action: ActionIssue}},
		"consent, again":     {func(s *State) { s.AsksConsent, s.Remembered, s.SignIn.Request.Prompt = true, true, []string{"consent"} }, Step{Action: ActionConsent}},
		"consent, again, given": {func(s *State) {
			s.AsksConsent, s.Remembered, s.SignIn.Consented, s.SignIn.Request.Prompt = true, true, true, []string{"consent"}
		}, Step{Action: ActionIssue}},
		"consent, not asked":          {func(s *State) { s.SignIn.Request.Prompt = []string{"consent"} }, Step{Action: ActionIssue}},
		"consent, silent":             {func(s *State) { s.AsksConsent, s.SignIn.Request.Prompt = true, []string{"none"} }, Step{Action: ActionFail, Error: "consent_required"}},
		"consent before provisioning": {func(s *State) { s.AsksConsent, s.Decision = true, nil }, Step{Action: ActionConsent}},

		"login":        {func(s *State) { s.SignIn.Request.Prompt = []string{"login"} }, Step{Action: ActionAuthenticate}},
		"login, fresh": {func(s *State) { s.SignIn.Request.Prompt, s.SignIn.Fresh = []string{"login"}, true }, Step{Action: ActionIssue}},
		"confirm":      {func(s *State) { s.SignIn.User, s.SignIn.Identity = "", []byte("x") }, Step{Action: ActionConfirm}},
		"confirm, silent": {func(s *State) {
			s.SignIn.User, s.SignIn.Identity, s.SignIn.Request.Prompt = "", []byte("x"), []string{"none"}
		}, Step{Action: ActionFail, Error: "login_required"}},
		"confirm, create": {func(s *State) {
			s.SignIn.User, s.SignIn.Identity, s.SignIn.Request.Prompt, s.Registration = "", []byte("x"), []string{"create"}, true
		}, Step{Action: ActionConfirm}},
		"code of an upstream's user": {func(s *State) {
			s.SignIn.User, s.SignIn.Identity, s.SignIn.Proven, s.SignIn.ProvenAt = "", []byte("x"), "u1", noon
		}, Step{Action: ActionSecondFactor}},
		"code of an upstream's user, too late": {func(s *State) {
			s.SignIn.User, s.SignIn.Identity, s.SignIn.Proven, s.SignIn.ProvenAt = "", []byte("x"), "u1", noon.Add(-time.Hour)
		}, Step{Action: ActionAuthenticate}},

		"create":              {func(s *State) { s.SignIn.Request.Prompt, s.Registration = []string{"create"}, true }, Step{Action: ActionRegister}},
		"create, not allowed": {func(s *State) { s.SignIn.Request.Prompt = []string{"create"} }, Step{Action: ActionAuthenticate}},
		"create, done": {func(s *State) {
			s.SignIn.Request.Prompt, s.Registration, s.SignIn.Fresh = []string{"create"}, true, true
		}, Step{Action: ActionIssue}},
		"max_age 0":        {func(s *State) { s.SignIn.Request.MaxAge = seconds(0) }, Step{Action: ActionAuthenticate}},
		"max_age 0, fresh": {func(s *State) { s.SignIn.Request.MaxAge, s.SignIn.Fresh = seconds(0), true }, Step{Action: ActionIssue}},
		"max_age just met": {func(s *State) { s.SignIn.Request.MaxAge = seconds(59 * 60) }, Step{Action: ActionIssue}},
		"max_age just not": {func(s *State) { s.SignIn.Request.MaxAge = seconds(59*60 - 1) }, Step{Action: ActionAuthenticate}},
		"max_age, long wait": {func(s *State) { // the wait page does not use up max_age
			s.SignIn.Request.MaxAge, s.Now = seconds(59*60), noon.Add(50*time.Second)
		}, Step{Action: ActionIssue}},

		"none, in sync":          {none(func(*State) {}), Step{Action: ActionIssue}},
		"none, nobody":           {none(func(s *State) { s.SignIn.User = "" }), Step{Action: ActionFail, Error: "login_required"}},
		"none, too old":          {none(func(s *State) { s.SignIn.Request.MaxAge = seconds(1) }), Step{Action: ActionFail, Error: "login_required"}},
		"none, work under way":   {none(func(s *State) { s.Decision = decided(provisioning.VerdictWait, "") }), Step{Action: ActionFail, Error: "interaction_required"}},
		"none, refused":          {none(func(s *State) { s.Decision = decided(provisioning.VerdictDeny, provisioning.FailureRefused) }), Step{Action: ActionFail, Error: "access_denied"}},
		"none, target down":      {none(func(s *State) { s.Decision = decided(provisioning.VerdictDeny, provisioning.FailureUnavailable) }), Step{Action: ActionFail, Error: "temporarily_unavailable"}},
		"none, denied by defect": {none(func(s *State) { s.Decision = decided(provisioning.VerdictDeny, "") }), Step{Action: ActionFail, Error: "server_error"}},
		"none, expired":          {none(func(s *State) { s.Now = s.SignIn.ExpiresAt }), Step{Action: ActionFail, Error: "interaction_required"}},

		"left":              {func(s *State) { s.SignIn.Leave = true }, Step{Action: ActionFail, Error: "access_denied"}},
		"left while down":   {func(s *State) { s.SignIn.Leave, s.SignIn.Failure.Code = true, provisioning.FailureUnavailable }, Step{Action: ActionFail, Error: "temporarily_unavailable"}},
		"left after defect": {func(s *State) { s.SignIn.Leave, s.SignIn.Failure.Code = true, provisioning.FailureInternal }, Step{Action: ActionFail, Error: "server_error"}},

		"expired":          {func(s *State) { s.Now = s.SignIn.ExpiresAt }, Step{Action: ActionExpired}},
		"ended":            {func(s *State) { s.SignIn.Status = StatusEnded }, Step{Action: ActionExpired}},
		"issued just now":  {issued(30 * time.Second), Step{Action: ActionReplay}},
		"issued earlier":   {issued(31 * time.Second), Step{Action: ActionExpired}},
		"issued, but lost": {func(s *State) { issued(0)(s); s.SignIn.Response = nil }, Step{Action: ActionExpired}},
	} {
		s := ready()
		c.change(&s)
		got := Next(s)
		if got.Action == ActionFail && got.Description == "" {
			t.Errorf("%s: the error has no description", name)
		}
		got.Description = ""
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func none(change func(*State)) func(*State) {
	return func(s *State) {
		s.SignIn.Request.Prompt = []string{"none"}
		change(s)
	}
}

func issued(ago time.Duration) func(*State) {
	return func(s *State) {
		s.SignIn.Status, s.SignIn.EndedAt, s.SignIn.Response = StatusIssued, s.Now.Add(-ago), []byte("sealed")
	}
}

func anyState(t *rapid.T) State {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	at := func(label string) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, label)) * time.Second)
	}
	s := State{
		Now: at("now"), Registration: rapid.Bool().Draw(t, "registration"),
		Session: session.Session{ID: pick("session", "", "s1", "s2"), User: provisioning.UserID(pick("session user", "", "u1", "u2"))},
		SignIn: SignIn{
			Status: Status(pick("status", "open", "open", "open", "issued", "ended", "")), User: provisioning.UserID(pick("user", "", "u1", "u2")),
			Session: pick("sign-in session", "", "s1", "s2"), AuthTime: at("auth time"), Fresh: rapid.Bool().Draw(t, "fresh"),
			CreatedAt: at("created"), ExpiresAt: at("expires"), EndedAt: at("ended"), Leave: rapid.IntRange(0, 4).Draw(t, "leave") == 0,
			Failure: provisioning.Failure{Code: provisioning.FailureCode(pick("failure", "", "refused", "unavailable", "internal"))},
			Request: AuthorizeRequest{Prompt: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"none", "login", "create"}), 0, 2, rapid.ID).Draw(t, "prompt")},
		},
	}
	if rapid.Bool().Draw(t, "has max_age") {
		s.SignIn.Request.MaxAge = seconds(rapid.IntRange(0, 100).Draw(t, "max_age"))
	}
	if rapid.Bool().Draw(t, "has response") {
		s.SignIn.Response = []byte("sealed")
	}
	if rapid.Bool().Draw(t, "decided") {
		s.Decision = decided(provisioning.Verdict(pick("verdict", "", "permit", "permit", "wait", "deny", "other")), s.SignIn.Failure.Code)
	}
	return s
}

// Whatever the state: nothing is issued without an authenticated user, the
// freshness that was asked for, and the gate's permit; prompt=none shows no page.
func TestNextHoldsInEveryState(t *testing.T) {
	errors := []string{"access_denied", "temporarily_unavailable", "server_error", "login_required", "interaction_required"}
	rapid.Check(t, func(t *rapid.T) {
		s := anyState(t)
		in, step := s.SignIn, Next(s)
		open := in.Status == StatusOpen && s.Now.Before(in.ExpiresAt)
		proven := in.User != "" && in.Session != "" && in.User == s.Session.User && in.Session == s.Session.ID
		stale := in.Request.Has("login") || in.Request.Has("create") ||
			in.Request.MaxAge != nil && (*in.Request.MaxAge == 0 || in.AuthTime.Add(*in.Request.MaxAge).Before(in.CreatedAt))
		switch step.Action {
		case ActionIssue:
			if s.Decision == nil || s.Decision.Verdict != provisioning.VerdictPermit {
				t.Fatalf("issue without a permit: %+v", s)
			}
			fallthrough
		case ActionProvision, ActionWait:
			if !open || in.Leave || !proven || stale && !in.Fresh {
				t.Fatalf("%s without proof of the user: %+v", step.Action, s)
			}
		case ActionReplay:
			if in.Status != StatusIssued || s.Now.Sub(in.EndedAt) > 30*time.Second {
				t.Fatalf("replay of %+v", in)
			}
		case ActionFail:
			if !slices.Contains(errors, step.Error) || in.Status != StatusOpen {
				t.Fatalf("fail with %q: %+v", step.Error, s)
			}
		}
		pages := []Action{ActionAuthenticate, ActionRegister, ActionWait}
		if in.Status == StatusOpen {
			pages = append(pages, ActionExpired)
		}
		if in.Request.Has("none") && slices.Contains(pages, step.Action) {
			t.Fatalf("prompt=none leads to page %s", step.Action)
		}
	})
}

// Following the browser's session never makes a sign-in somebody's who did not
// prove it, and never makes it fresh.
func TestUnderHoldsInEveryState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyState(t)
		got := s.SignIn.under(s.Session)
		if s.SignIn.Status != StatusOpen || s.SignIn.Leave {
			if !cmp.Equal(got, s.SignIn, cmp.AllowUnexported(SignIn{})) {
				t.Fatalf("a finished sign-in changed: %+v", got)
			}
			return
		}
		if got.User != s.Session.User || got.Session != s.Session.ID {
			t.Fatalf("under %+v: %s, %s", s.Session, got.User, got.Session)
		}
		if got.Fresh && (!s.SignIn.Fresh || s.SignIn.User != s.Session.User) {
			t.Fatalf("became fresh: %+v", got)
		}
		if got.User != s.SignIn.User && !got.ProvisionStart.IsZero() {
			t.Fatal("another user inherits the wait")
		}
	})
}
