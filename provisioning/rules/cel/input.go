package cel

import (
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const minutesADay = 24 * 60

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
