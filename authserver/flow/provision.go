package flow

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
)

// provision asks the gate. The first time it does not permit, the work is
// started, and the response held for a moment: most work is done by then and
// nobody sees a page.
func (d *Driver) provision(ctx context.Context, s *SignIn, st State) (Step, error) {
	decision, err := d.Gate.Look(ctx, d.request(s))
	if err == nil && decision.Verdict != provisioning.VerdictPermit && s.ProvisionStart.IsZero() {
		decision, err = d.start(ctx, s)
	}
	if err == nil && news(*s, decision) && decision.ID == "" {
		// Record it: support finds by the reference why the user cannot go on.
		decision, err = d.Gate.Start(ctx, d.request(s))
	}
	if err != nil {
		return Step{}, fmt.Errorf("ask gate: %w", err)
	}
	s.Failure = denial(decision)
	st.SignIn, st.Decision = *s, &decision
	return Next(st), nil
}

// denial returns why the gate denies; zero when it does not.
func denial(d provisioning.Decision) provisioning.Failure {
	if d.Verdict != provisioning.VerdictDeny {
		return provisioning.Failure{}
	}
	return d.Failure
}

// news reports whether the gate denies, for a reason that the sign-in does not
// hold yet.
func news(s SignIn, d provisioning.Decision) bool {
	return d.Verdict == provisioning.VerdictDeny && d.Failure != s.Failure
}

func (d *Driver) start(ctx context.Context, s *SignIn) (provisioning.Decision, error) {
	s.ProvisionStart = d.Now()
	r := d.request(s)
	decision, err := d.Gate.Start(ctx, r)
	if err != nil || decision.Verdict != provisioning.VerdictWait {
		return decision, err
	}
	s.Deadline = s.ProvisionStart.Add(decision.Timeout)
	hold := or(d.Hold, DefaultHold)
	if s.Request.Has(promptNone) {
		hold = or(d.HoldSilent, DefaultHoldSilent)
	}
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	waited, err := d.Gate.Wait(ctx, r)
	if ctx.Err() != nil && (err != nil || waited.Verdict == "") {
		return decision, nil // nothing newer was seen in time
	}
	return waited, err
}

// request is what the gate is asked about the sign-in.
func (d *Driver) request(s *SignIn) provisioning.Request {
	return provisioning.Request{
		Client: s.Request.Client, User: s.User, Grant: provisioning.GrantAuthorize,
		SignIn: string(s.ID), Reference: s.Reference, WaitingSince: s.ProvisionStart,
		Exempt: d.AdminClient != "" && s.Request.Client == d.AdminClient,
		Facts:  provisioning.Facts{Scopes: s.Request.Scopes, AMR: s.AMR, IP: s.address, AuthTime: s.AuthTime},
	}
}
