package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// ErrReconciling means that another process is reconciling the target.
var ErrReconciling = errors.New("the target is being reconciled by another process")

const (
	// reconcileTimeout bounds one comparison. It is also how long one that died
	// keeps others away.
	reconcileTimeout = time.Hour
	// scheduleEvery is how often the targets' schedules are looked at.
	scheduleEvery = time.Minute
)

// Reconcile compares a target with the ledger now, and keeps the report. With
// repair the accounts that differ become due, and a running server mends them.
// It returns [ErrReconciling] while another process does the same.
func (s *System) Reconcile(ctx context.Context, target provisioning.TargetName, repair bool) (provisioning.DriftReport, error) {
	if _, err := s.Targets.Get(ctx, target); err != nil {
		return provisioning.DriftReport{}, err
	}
	report, claimed, err := s.reconcile(ctx, target, repair, s.Now())
	if err == nil && !claimed {
		err = ErrReconciling
	}
	return report, err
}

// reconcile runs if nobody else does and the last run began at since or before.
func (s *System) reconcile(ctx context.Context, target provisioning.TargetName, repair bool, since time.Time) (provisioning.DriftReport, bool, error) {
	owner, now := ownerName(), s.Now()
	claimed, err := s.Reconciliations.Claim(ctx, target, owner, now, now.Add(reconcileTimeout), since)
	if err != nil || !claimed {
		return provisioning.DriftReport{}, false, err
	}
	work, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	report, err := s.reconciler.Run(work, target, repair)
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancelEnd()
	if err = errors.Join(err, ctx.Err()); err != nil { // cut off by us, the report says nothing
		return report, true, errors.Join(err, s.Reconciliations.Abandon(end, target, owner))
	}
	if report.Due > 0 {
		s.runner.Nudge()
	}
	return report, true, s.Reconciliations.Finish(end, owner, report)
}

// Mapping returns what a target's attributes are made of, by name.
func (s *System) Mapping(ctx context.Context, target provisioning.TargetName) ([]provisioning.MappedAttribute, error) {
	return s.reconciler.Engine.Mapping(ctx, target)
}

// Preview is Mapping with the values the user's profile gives now.
func (s *System) Preview(ctx context.Context, user provisioning.UserID, target provisioning.TargetName) ([]provisioning.MappedAttribute, error) {
	return s.reconciler.Engine.Preview(ctx, user, target)
}

// startSchedule reconciles targets as their schedules say until ctx ends; the
// channel closes then.
func (s *System) startSchedule(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(scheduleEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := s.reconcileDue(ctx); err != nil && ctx.Err() == nil {
					s.log.WarnContext(ctx, "scheduled reconciliation failed", "error", err)
				}
			}
		}
	}()
	return done
}

// reconcileDue compares the targets whose turn it is, one after the other. It
// only reports: what to do about drift is for an admin to say.
func (s *System) reconcileDue(ctx context.Context) error {
	targets, err := s.Targets.List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range targets {
		if t.ReconcileEvery <= 0 || ctx.Err() != nil {
			continue
		}
		report, ran, err := s.reconcile(ctx, t.Name, false, s.Now().Add(-t.ReconcileEvery))
		if err != nil {
			errs = append(errs, fmt.Errorf("target %s: %w", t.Name, err))
		} else if ran {
			s.log.InfoContext(ctx, "target reconciled", "target", t.Name, "complete", report.Complete, "listed", report.Listed, "drifts", report.Total())
		}
	}
	return errors.Join(errs...)
}
