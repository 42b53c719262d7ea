package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// verb is a call that a fault is tried on. prepare, if any, makes what it needs
// before the fault begins.
type verb struct {
	name    string
	prepare func(context.Context, *Session) (id string, err error)
	call    func(ctx context.Context, s *Session, t *wire.Remote, id string) error
}

func lookupVerb() verb {
	return verb{name: "Lookup", call: func(ctx context.Context, s *Session, t *wire.Remote, _ string) error {
		key, value := s.firstKey()
		_, err := t.Lookup(ctx, sdk.LookupRequest{Key: key, Value: value})
		return err
	}}
}

// firstKey is what to look a new account up by.
func (s *Session) firstKey() (key, value string) {
	attributes := s.people.next()
	for _, k := range s.people.keys() {
		return k.Name, attributes.String(k.Name)
	}
	return "kit", s.run
}

func createVerb() verb {
	return verb{
		name:    "Create",
		prepare: makeFirst,
		call: func(ctx context.Context, s *Session, t *wire.Remote, _ string) error {
			_, err := t.Create(ctx, sdk.CreateRequest{Operation: s.operation(), Attributes: s.people.next(), Active: true})
			return err
		},
	}
}

// makeFirst makes an account before the fault: signing in, and what else a first
// create looks up, are then done, and the fault is for the create itself.
func makeFirst(ctx context.Context, s *Session) (id string, err error) {
	p, err := s.make(ctx)
	return p.ID, err
}

func updateVerb() verb {
	return verb{
		name:    "Update",
		prepare: makeFirst,
		call: func(ctx context.Context, s *Session, t *wire.Remote, id string) error {
			edited, err := s.people.editable()
			if err != nil {
				return err
			}
			_, err = t.Update(ctx, sdk.UpdateRequest{Operation: s.operation(), ID: id, Set: sdk.Attributes{edited.Name: "x " + s.run}})
			return err
		},
	}
}

// faultCase is one way in which a target fails, and what the connector must make
// of it.
type faultCase struct {
	id, demand string
	fault      faultproxy.Fault
	verbs      []verb
	kinds      []sdk.Kind
	effects    []sdk.Effect // of a write; a read never has one
	retryAfter time.Duration
}

// everything is for faults that may be meant for any request.
func everything(faultproxy.Request) bool { return true }

// suffer makes a call while every request meets the fault. It returns what the
// call ended with, and why it could not be made.
func (s *Session) suffer(ctx context.Context, f faultproxy.Fault, v verb) (outcome, problem error) {
	target, err := s.target(ctx)
	if err != nil {
		return nil, err
	}
	id := ""
	if v.prepare != nil {
		if id, err = v.prepare(ctx, s); err != nil {
			return nil, err
		}
	}
	ctx, cancel := call(ctx)
	defer cancel()
	stop := s.proxy.Always(everything, f)
	defer stop()
	before := s.requests()
	outcome = v.call(ctx, s, target, id)
	if s.requests() == before {
		return nil, notRun(v.name + " makes no request through the proxy")
	}
	return outcome, nil
}

func (c faultCase) check() Check {
	return Check{ID: c.id, Demand: c.demand, Proxy: true, run: func(ctx context.Context, s *Session) error {
		var problems []error
		for _, v := range c.verbs {
			outcome, err := s.suffer(ctx, c.fault, v)
			if err != nil {
				return err
			}
			problems = append(problems, c.judge(v, outcome))
		}
		return errors.Join(problems...)
	}}
}

func (c faultCase) judge(v verb, err error) error {
	effects := c.effects
	if v.name == "Lookup" || effects == nil {
		effects = []sdk.Effect{sdk.EffectNone}
	}
	if wrong := wantKind(v.name, err, c.kinds, effects); wrong != nil {
		return wrong
	}
	after := sdk.AsError(err).RetryAfter
	if c.retryAfter == 0 || after <= c.retryAfter && after >= c.retryAfter-2*time.Second {
		return nil
	}
	return differs(fmt.Sprintf("%s says to retry after %s", v.name, c.retryAfter), "%s", after)
}

// pause is what the target asks for where it does.
const pause = 7 * time.Second

func answer(code int, header http.Header) faultproxy.Fault {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return faultproxy.Status(code, header, `{"error":"refused by the kit"}`)
}

// limited answers 429 with a date: it is made when the request comes.
func limited() faultproxy.Fault {
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		at := time.Now().Add(pause).UTC().Format(http.TimeFormat)
		answer(http.StatusTooManyRequests, http.Header{"Retry-After": {at}})(w, r, upstream)
	}
}

func faultChecks() []Check {
	read, create, update := lookupVerb(), createVerb(), updateVerb()
	both := []verb{read, create}
	kind := func(k ...sdk.Kind) []sdk.Kind { return k }
	unsure := []sdk.Effect{sdk.EffectUnknown}
	either := []sdk.Effect{sdk.EffectNone, sdk.EffectUnknown}
	passing := kind(sdk.KindTransient, sdk.KindOutcomeUnknown)
	// What an answer that cannot be read says of a call: that it failed, never
	// that nobody was found.
	unreadable := kind(sdk.KindTransient, sdk.KindOutcomeUnknown, sdk.KindInternal, sdk.KindInvalid, sdk.KindUnsupported)
	cases := []faultCase{
		{id: "fault/400", demand: "makes invalid of 400", fault: answer(400, nil), verbs: []verb{create}, kinds: kind(sdk.KindInvalid)},
		{id: "fault/401", demand: "makes unauthorized of 401", fault: answer(401, nil), verbs: both, kinds: kind(sdk.KindUnauthorized)},
		{id: "fault/402", demand: "makes quota of 402", fault: answer(402, nil), verbs: []verb{create}, kinds: kind(sdk.KindQuota)},
		{id: "fault/403", demand: "makes forbidden of 403", fault: answer(403, nil), verbs: both, kinds: kind(sdk.KindForbidden)},
		{id: "fault/404", demand: "makes not_found of 404 for an account", fault: answer(404, nil), verbs: []verb{update}, kinds: kind(sdk.KindNotFound)},
		{id: "fault/409", demand: "makes conflict of 409", fault: answer(409, nil), verbs: []verb{create}, kinds: kind(sdk.KindConflict)},
		{id: "fault/412", demand: "makes transient of 412: somebody else changed the account", fault: answer(412, nil), verbs: []verb{update}, kinds: kind(sdk.KindTransient)},
		{id: "fault/429-seconds", demand: "makes rate_limited of 429, with Retry-After in seconds", verbs: both, kinds: kind(sdk.KindRateLimited),
			fault: answer(429, http.Header{"Retry-After": {"7"}}), retryAfter: pause},
		{id: "fault/429-date", demand: "makes rate_limited of 429, with Retry-After as a date", verbs: both, kinds: kind(sdk.KindRateLimited),
			fault: limited(), retryAfter: pause},
		{id: "fault/500", demand: "makes transient of 500, and does not claim that a write did nothing", fault: answer(500, nil), verbs: both, kinds: passing, effects: unsure},
		{id: "fault/501", demand: "makes unsupported of 501", fault: answer(501, nil), verbs: []verb{create}, kinds: kind(sdk.KindUnsupported)},
		{id: "fault/502", demand: "makes transient of 502, and does not claim that a write did nothing", fault: answer(502, nil), verbs: both, kinds: passing, effects: unsure},
		{id: "fault/503", demand: "makes transient of 503", fault: answer(503, nil), verbs: both, kinds: passing, effects: either},
		{id: "fault/504", demand: "makes transient of 504, and does not claim that a write did nothing", fault: answer(504, nil), verbs: both, kinds: passing, effects: unsure},
		{id: "fault/malformed", demand: "takes an answer that is cut off for a failure, and a write for undecided", verbs: both, kinds: unreadable, effects: unsure,
			fault: faultproxy.Status(200, http.Header{"Content-Type": {"application/json"}}, `{"id":"7f3","us`)},
		{id: "fault/html", demand: "takes a page in place of an answer for a failure, and a write for undecided", verbs: both, kinds: unreadable, effects: unsure,
			fault: faultproxy.HTML(200)},
		{id: "fault/empty-answer", demand: "invents no id where the answer has none", verbs: []verb{create}, kinds: unreadable, effects: unsure,
			fault: faultproxy.Status(200, http.Header{"Content-Type": {"application/json"}}, `{}`)},
		{id: "fault/reset", demand: "takes a connection that is reset for transient, and a write for undecided", verbs: both, kinds: passing, effects: unsure,
			fault: faultproxy.Reset()},
	}
	checks := make([]Check, 0, len(cases)+1)
	for _, c := range cases {
		checks = append(checks, c.check())
	}
	return append(checks,
		Check{ID: "fault/endless", Demand: "gives up on an answer that does not end", Proxy: true, run: faultEndless},
		Check{ID: "fault/refused", Demand: "takes a closed port for transient", Proxy: true, run: faultRefused})
}

// endless answers with spaces, 32 MiB a second, until the client leaves.
func endless(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte{' '}, 64<<10)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func faultEndless(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*hangTime)
	defer cancel()
	stop := s.proxy.Always(everything, endless)
	defer stop()
	before, begin := s.requests(), time.Now()
	err = lookupVerb().call(ctx, s, target, "")
	took := time.Since(begin)
	switch {
	case s.requests() == before:
		return notRun("Lookup makes no request through the proxy")
	case err == nil:
		return differs("Lookup fails", "success")
	case took > hangTime:
		return differs(fmt.Sprintf("Lookup gives up within %s, before it has read 64 MiB", hangTime), "%s", took.Round(100*time.Millisecond))
	}
	return nil
}

// faultRefused points an instance at an address where nobody listens.
func faultRefused(ctx context.Context, s *Session) error {
	address, err := closedAddress()
	if err != nil {
		return err
	}
	target, err := s.other(ctx, "kit-refused", map[string]any{s.opts.URLField: "http://" + address})
	if err != nil {
		return err
	}
	ctx, cancel := call(ctx)
	defer cancel()
	return errors.Join(
		wantKind("Lookup", lookupVerb().call(ctx, s, target, ""), []sdk.Kind{sdk.KindTransient}, []sdk.Effect{sdk.EffectNone}),
		wantKind("Create", createVerb().call(ctx, s, target, ""),
			[]sdk.Kind{sdk.KindTransient, sdk.KindOutcomeUnknown}, []sdk.Effect{sdk.EffectNone, sdk.EffectUnknown}))
}

func checkReadOnly(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	if _, err := s.find(ctx, s.people.next()); err != nil { // signed in, if that takes a request
		return err
	}
	before := s.proxy.Writes()
	if _, err := target.Check(ctx); err != nil {
		return unexpected("Check", err)
	}
	if n := s.proxy.Writes() - before; n > 0 {
		return differs("Check makes no request that could write", "%d", n)
	}
	return nil
}

func checkSaysWhy(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	stop := s.proxy.Always(everything, answer(401, nil))
	defer stop()
	steps, err := target.Check(ctx)
	if err != nil {
		return differs("Check answers with its steps, of which one failed", "%s", errorText(err))
	}
	for _, step := range steps {
		if step.Status == sdk.CheckFailed {
			if step.Detail == "" {
				return differs("the failed step has a detail", "none with step %s", step.Name)
			}
			return nil
		}
	}
	return differs("a step fails when the target answers 401", "none of %d", len(steps))
}
