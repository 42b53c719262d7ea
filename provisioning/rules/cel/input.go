package cel

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Limits of a request. One that is beyond them is not evaluated: it is
// indeterminate.
const (
	MaxValues   = 2000      // of one list
	MaxClaims   = 500       // of one user
	MaxValue    = 2 << 10   // bytes of one value
	MaxRequest  = 256 << 10 // bytes of all values together
	minutesADay = 24 * 60
)

// request is what conditions see of a request itself.
type request struct {
	Operation string
	Scopes    []string
	ACR       string
	AMR       []string
	IP        string // "" when nobody is there
	Trigger   string
	AuthTime  time.Time
}

// clock is the time of the decision in the zone of the rule set.
type clock struct {
	Now         time.Time
	Date        string // 2006-01-02
	Hour        int
	MinuteOfDay int
	Weekday     string // mon to sun
}

// input is one request as conditions see it. It is the activation of every
// condition of the set.
type input struct {
	*rules.Request
	request request
	env     clock
}

var _ cel.Activation = (*input)(nil)

func newInput(r *rules.Request, zone *time.Location) *input {
	in := &input{Request: r, env: clockAt(r.Now.In(zone))}
	in.request = request{
		Operation: string(r.Operation), Scopes: r.Scopes, ACR: r.ACR, AMR: r.AMR,
		Trigger: string(r.Trigger), AuthTime: r.AuthTime,
	}
	if r.IP.IsValid() {
		in.request.IP = r.IP.Unmap().WithZone("").String()
	}
	return in
}

func clockAt(now time.Time) clock {
	return clock{
		Now:         now,
		Date:        now.Format(time.DateOnly),
		Hour:        now.Hour(),
		MinuteOfDay: now.Hour()*60 + now.Minute(),
		Weekday:     strings.ToLower(now.Weekday().String()[:3]),
	}
}

// ResolveName returns a root of the vocabulary.
func (in *input) ResolveName(name string) (any, bool) {
	switch name {
	case "user":
		return &in.User, true
	case "app":
		return &in.App, true
	case "connector":
		return &in.Connector, true
	case "request":
		return &in.request, true
	case "account":
		return &in.Account, true
	case "env":
		return &in.env, true
	}
	return nil, false
}

// Parent returns nil: there is nothing behind the vocabulary.
func (in *input) Parent() cel.Activation { return nil }

// size adds up a request, and keeps the first that is too large.
type size struct {
	total int
	over  string
}

// tooLarge says which part of a request is beyond the limits; "" when none is. It
// comes before every evaluation, since an evaluation is charged for a call only
// when that has been made.
func tooLarge(r *rules.Request) string {
	var s size
	u := &r.User
	s.value("user", u.ID, u.Username, u.Email, u.GivenName, u.FamilyName, u.Name, u.Locale, u.PhoneNumber, u.Source)
	s.list("user.groups", u.Groups)
	s.list("user.roles", u.Roles)
	if len(u.Claims) > MaxClaims {
		s.exceed("user.claims", MaxClaims, "claims")
	}
	for name, values := range u.Claims {
		s.value("user.claims", name)
		s.list("user.claims", values)
	}
	s.value("app", r.App.Name, r.App.ClientID)
	s.list("app.labels", r.App.Labels)
	s.value("connector", r.Connector.Name, r.Connector.Type, r.Connector.Binding)
	s.value("request", string(r.Operation), string(r.Trigger), r.ACR)
	s.list("request.scopes", r.Scopes)
	s.list("request.amr", r.AMR)
	s.value("account.remote_id", r.Account.RemoteID)
	if s.over == "" && s.total > MaxRequest {
		s.exceed("the request", MaxRequest, "bytes")
	}
	return s.over
}

func (s *size) list(path string, values []string) {
	if len(values) > MaxValues {
		s.exceed(path, MaxValues, "values")
		return
	}
	for _, v := range values {
		s.value(path, v)
	}
}

func (s *size) value(path string, values ...string) {
	for _, v := range values {
		s.total += len(v)
		if len(v) > MaxValue {
			s.exceed("a value of "+path, MaxValue, "bytes")
		}
	}
}

func (s *size) exceed(what string, limit int, unit string) {
	if s.over == "" {
		s.over = fmt.Sprintf("%s has more than %d %s", what, limit, unit)
	}
}
