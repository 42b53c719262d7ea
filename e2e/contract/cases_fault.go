package contract

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// twentyAtOnce has as many ledgers as callers that know nothing of each other: a
// target each, all of them the one server. Every one has looked and found nobody
// before the first creates.
func twentyAtOnce(l *lab) {
	const callers = 20
	p := l.person()
	var names []provisioning.TargetName
	for i := range callers {
		name := provisioning.TargetName(fmt.Sprintf("target-%d", i))
		l.target(name, func(*provisioning.Target) {})
		names = append(names, name)
	}
	l.want(p, names...)
	var leases []provisioning.Lease
	for _, name := range names {
		leases = append(leases, l.claim(name)...)
	}
	l.engine.Ledger = &creating{Ledger: l.engine.Ledger, then: meeting(callers)}
	var wg sync.WaitGroup
	for _, lease := range leases {
		wg.Go(func() {
			if err := l.engine.Run(l.Context(), lease); err != nil {
				l.Error(err)
			}
		})
	}
	wg.Wait()
	found := l.system.Accounts(l.T, p.Login)
	if len(leases) != callers || len(found) != 1 {
		l.Fatalf("%d callers made %d accounts, want %d and 1: %+v", len(leases), len(found), callers, found)
	}
	created := 0
	for _, name := range names {
		a, err := l.Accounts.Get(l.Context(), p.ID, name)
		l.ok(err)
		if !a.InSync() || a.ExternalID != found[0].ID {
			l.Errorf("%s: %s, id %q, kind %q (%s); want it in sync with %s", name, a.State, a.ExternalID, a.Kind, a.Detail, found[0].ID)
		}
		if a.Outcome == provisioning.OutcomeCreated {
			created++
		}
	}
	if created != 1 {
		l.Errorf("%d callers take the account for made by them, want 1", created)
	}
}

// patience ends a meeting to which somebody does not come.
const patience = 10 * time.Second

// meeting returns a function that returns once n callers have called it.
func meeting(n int) func() {
	var left atomic.Int64
	left.Store(int64(n))
	all := make(chan struct{})
	return func() {
		if left.Add(-1) == 0 {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(patience):
		}
	}
}

func createLost(l *lab) {
	p := l.person()
	l.link.Script(Create, Lost)
	l.want(p)
	l.sent(Create, 1, func() { l.settle() })
	if a := l.reached(p); !a.Created {
		l.Errorf("the account counts as %q, want it as ours", a.Outcome)
	}
	l.mirrored(p)
}

func createLostTwice(l *lab) {
	p := l.person()
	l.link.Script(Create, Lost)
	l.want(p)
	l.sent(Create, 1, func() {
		// The first look, which finds nobody, passes; from the create on none does.
		stop := l.afterCreate(Unavailable)
		l.run()
		l.failed(p, sdk.KindOutcomeUnknown, sdk.KindTransient)
		stop()
		l.settle()
	})
	if a := l.reached(p); !a.Created {
		l.Errorf("the account counts as %q, want it as ours", a.Outcome)
	}
	l.mirrored(p)
}

// afterCreate makes reads fail from the moment the engine writes down that a
// create goes out.
func (l *lab) afterCreate(f Fault) (stop func()) {
	var mu sync.Mutex
	var stops []func()
	ledger := &creating{Ledger: l.engine.Ledger, then: func() {
		mu.Lock()
		defer mu.Unlock()
		stops = append(stops, l.link.Always(Read, f))
	}}
	l.engine.Ledger = ledger
	return func() {
		l.engine.Ledger = ledger.Ledger
		mu.Lock()
		defer mu.Unlock()
		for _, s := range stops {
			s()
		}
	}
}

// creating is a ledger that tells of creates.
type creating struct {
	provisioning.Ledger
	then func()
}

// Creating implements provisioning.Ledger.
func (c *creating) Creating(ctx context.Context, lease provisioning.Lease) error {
	defer c.then()
	return c.Ledger.Creating(ctx, lease)
}

func changeLost(l *lab) {
	p := l.created()
	id := l.account(p).ExternalID
	l.edit(&p, func(p *provisioning.Profile) { *l.field(p, l.server.Changes) = "Grace" })
	l.link.Script(Change, Lost)
	l.run()
	l.failed(p, sdk.KindOutcomeUnknown, sdk.KindTransient)
	l.sent(Create, 0, func() { l.settle() })
	if a := l.reached(p); a.ExternalID != id {
		l.Errorf("the link moved from %s to %s", id, a.ExternalID)
	}
	l.mirrored(p)
}

func rateLimited(f Fault) func(*lab) {
	return func(l *lab) {
		for _, op := range []Op{Read, Create} {
			p := l.person()
			l.link.Script(op, f)
			l.want(p)
			l.run()
			a := l.failed(p, sdk.KindRateLimited)
			if wait := a.NextAttemptAt.Sub(l.now()); wait < (RetryAfter-1)*time.Second || wait > (RetryAfter+1)*time.Second {
				l.Errorf("it comes back after %s, want about %d s", wait, RetryAfter)
			}
			l.sent(Any, 0, func() { l.run() }) // until then the target is left alone
			l.settle()
			l.reached(p, provisioning.OutcomeCreated)
			l.mirrored(p)
		}
	}
}

func unavailable(l *lab) {
	for _, op := range []Op{Read, Create} {
		p := l.person()
		stop := l.link.Always(op, Unavailable)
		l.want(p)
		l.run()
		if a := l.failed(p, sdk.KindTransient, sdk.KindOutcomeUnknown); a.State != provisioning.StateRetrying {
			l.Errorf("the account is %s, want it tried again", a.State)
		}
		stop()
		l.settle()
		l.reached(p, provisioning.OutcomeCreated)
		l.mirrored(p)
	}
}

// The limits of a call that gets no answer. What the machine itself is late by
// is added, and to a whole run the time for what it writes down.
const (
	deadline = 400 * time.Millisecond
	slack    = 100 * time.Millisecond
	runSlack = time.Second
)

func hang(l *lab) {
	p, other := l.created(), l.person()
	conn, id := l.conn(), l.account(p).ExternalID
	key := l.server.Connector.Describe().Attributes
	verbs := map[string]func(context.Context) error{
		"lookup": func(ctx context.Context) error {
			_, err := conn.Lookup(ctx, sdk.LookupRequest{Key: firstKey(key), Value: string(other.ID)})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := conn.Update(ctx, sdk.UpdateRequest{
				Operation: sdk.Operation{ID: "hang", Attempt: 1}, ID: id, Set: sdk.Attributes{l.server.Changes: "Grace"},
			})
			return err
		},
	}
	stop := l.link.Always(Any, Hang)
	for name, verb := range verbs {
		l.inTime(name, slack, verb)
	}
	l.want(other)
	l.inTime("run", runSlack, func(ctx context.Context) error {
		l.runIn(ctx)
		return ctx.Err()
	})
	l.failed(other, sdk.KindTransient, sdk.KindOutcomeUnknown)
	stop()
	stop = l.link.Always(Create, Hang)
	l.advance(time.Minute)
	ctx, cancel := context.WithTimeout(l.Context(), deadline)
	defer cancel()
	l.runIn(ctx)
	l.failed(other, sdk.KindTransient, sdk.KindOutcomeUnknown)
	stop()
	l.advance(time.Minute)
	l.settle()
	l.mirrored(other)
}

func firstKey(attributes []sdk.Attribute) string {
	name, first := "", 0
	for _, a := range attributes {
		if a.Correlate > 0 && (first == 0 || a.Correlate < first) {
			name, first = a.Name, a.Correlate
		}
	}
	return name
}

// inTime checks that what gets no answer ends with its deadline, and fails.
func (l *lab) inTime(name string, allowance time.Duration, verb func(context.Context) error) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), deadline)
	defer cancel()
	late := make(chan time.Duration, 1)
	begin := time.Now()
	time.AfterFunc(deadline, func() { late <- time.Since(begin) - deadline })
	err := verb(ctx)
	took := time.Since(begin)
	if err == nil {
		l.Errorf("%s: no error without an answer", name)
	}
	if allowed := deadline + allowance + <-late; took < deadline-slack || took > allowed {
		l.Errorf("%s: gave up after %s, want after %s and at most %s", name, took, deadline, allowed)
	}
}

func unauthorized(l *lab) {
	p := l.person()
	stop := l.link.Always(Any, Unauthorized)
	tokens := l.link.Count(Token)
	l.want(p)
	l.run()
	a := l.failed(p, sdk.KindUnauthorized)
	requests, fetched := l.link.Count(Any), l.link.Count(Token)-tokens
	if limit := 1 + min(fetched, 1); requests > limit || fetched > 2 {
		l.Errorf("%d requests and %d tokens, want one request, and one more with a new token", requests, fetched)
	}
	if wait := a.NextAttemptAt.Sub(l.now()); wait < time.Minute {
		l.Errorf("it is tried again after %s: that could lock the credentials", wait)
	}
	stop()
	l.advance(time.Hour)
	l.settle()
	l.reached(p, provisioning.OutcomeCreated)
	l.mirrored(p)
}

// renewed is for connectors that fetch tokens: one that was revoked is replaced
// once, and nobody notices.
func renewed(l *lab) {
	first := l.created()
	if l.link.Count(Token) != 1 {
		l.Fatalf("%d tokens were fetched for one account, want 1", l.link.Count(Token))
	}
	p := l.person()
	l.link.Script(Any, Unauthorized)
	l.want(p)
	l.sent(Token, 1, func() { l.run() })
	l.reached(p, provisioning.OutcomeCreated)
	l.mirrored(p)
	l.mirrored(first)
}

// garbled answers first the look and then the create with what is no answer.
func garbled(f Fault) func(*lab) {
	return func(l *lab) {
		p := l.person()
		stop := l.link.Always(Read, f)
		l.want(p)
		l.sent(Create, 0, func() { l.run() })
		l.failed(p, sdk.KindTransient)
		stop()
		l.link.Script(Create, f)
		l.advance(time.Minute)
		l.run()
		l.failed(p, sdk.KindOutcomeUnknown)
		l.settle()
		l.reached(p)
		l.mirrored(p)
	}
}

func reset(l *lab) {
	p := l.person()
	stop := l.link.Always(Read, Reset)
	l.want(p)
	l.sent(Create, 0, func() { l.run() })
	l.failed(p, sdk.KindTransient)
	stop()
	stop = l.link.Always(Create, Reset)
	l.advance(time.Minute)
	l.run()
	l.failed(p, sdk.KindOutcomeUnknown, sdk.KindTransient)
	stop()
	l.settle()
	l.reached(p)
	l.mirrored(p)
}

// secrets has the server repeat what it was sent, whatever it is asked, and
// looks for it wherever an admin may look.
func secrets(l *lab) {
	p := l.person()
	for _, op := range []Op{Read, Create} {
		for _, f := range []Fault{Echo, Unauthorized, Malformed, Reset} {
			stop := l.link.Always(op, f)
			l.want(p)
			l.look(p)
			l.advance(time.Hour)
			l.run()
			stop()
		}
	}
	l.advance(time.Hour)
	l.look(p)
	l.settle()
	l.reached(p)
	if len(l.attempts(p)) < 8 {
		l.Errorf("%d attempts were recorded, want one for each failure", len(l.attempts(p)))
	}
	text := fmt.Sprintf("%s %+v %+v", l.log, l.account(p), l.attempts(p))
	for _, secret := range slices.Concat(slices.Collect(maps.Values(l.config.Secrets)), l.server.Issued) {
		for line := range strings.Lines(secret.Reveal()) { // a key in PEM has many
			line = strings.TrimSpace(line)
			if len(line) > 5 && !strings.Contains(line, "-----") && strings.Contains(text, line) {
				l.Errorf("%q of a secret is in a log, an error or the ledger:\n%s", line, text)
			}
		}
	}
	for _, value := range []string{p.Email, p.Login, p.FamilyName} {
		if strings.Contains(text, value) {
			l.Errorf("the user's %q is in a log, an error or the ledger:\n%s", value, text)
		}
	}
}
