package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Permit returns the gate's leave to issue the sign-in. Call it inside the
// transaction that mints. Everything that may have changed since the step was
// decided is read again: the session, the user, the application, the ledger. If
// something did, the error is ErrNotYet.
func (d *Driver) Permit(ctx context.Context, s *SignIn) (provisioning.Permit, error) {
	if s.Status != StatusOpen || s.User == "" || !d.Now().Before(s.ExpiresAt) {
		return provisioning.Permit{}, ErrNotYet
	}
	if err := d.stands(ctx, s); err != nil {
		return provisioning.Permit{}, err
	}
	permit, decision, err := d.Gate.Permit(ctx, d.request(s))
	if err != nil {
		return provisioning.Permit{}, fmt.Errorf("ask gate: %w", err)
	}
	if decision.Verdict != provisioning.VerdictPermit || !permit.Allows(s.Request.Client, s.User) {
		return provisioning.Permit{}, ErrNotYet
	}
	return permit, nil
}

// stands returns ErrNotYet if session, user or application changed.
func (d *Driver) stands(ctx context.Context, s *SignIn) error {
	current, err := d.Sessions.Get(ctx, s.Session)
	if errors.Is(err, session.ErrNone) || err == nil && current.User != s.User {
		return ErrNotYet
	}
	if err != nil {
		return err
	}
	active, err := d.active(ctx, s.User)
	if err != nil {
		return err
	}
	app, err := d.Applications.Get(ctx, s.Request.Client)
	if err != nil {
		return fmt.Errorf("read application: %w", err)
	}
	if !active || !app.Enabled || app.Revision != s.clientRevision {
		return ErrNotYet
	}
	return nil
}

// Issued records that the sign-in's one response was made. Call it inside the
// transaction that mints; ErrStale means another request was first, and nothing
// may be committed.
func (d *Driver) Issued(ctx context.Context, s *SignIn, permit provisioning.Permit, response string) error {
	sealed, err := d.Sealer.Seal([]byte(response), []byte(s.ID))
	if err != nil {
		return fmt.Errorf("seal response: %w", err)
	}
	if s.hearsLogout {
		if err := d.Logouts.Join(ctx, s.SID, s.Request.Client, s.Alias); err != nil {
			return err
		}
	}
	issued := *s // not s itself: the transaction may run again
	issued.Status, issued.EndedAt = StatusIssued, d.Now()
	issued.Decision, issued.Response = permit.Decision(), sealed
	if s.Version == 0 {
		return d.SignIns.Insert(ctx, issued)
	}
	return d.SignIns.Update(ctx, issued)
}

// Ended records that an error went to the application, so that the sign-in is
// over. ErrStale means another request was first: resume.
func (d *Driver) Ended(ctx context.Context, s *SignIn) error {
	if s.Version == 0 {
		return nil
	}
	ended := *s
	ended.Status, ended.EndedAt = StatusEnded, d.Now()
	return d.SignIns.Update(ctx, ended)
}
