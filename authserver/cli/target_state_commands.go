package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// targetStateView is what holds up a target's work.
type targetStateView struct {
	Hold        provisioning.Hold `json:"hold"` // "maintenance", "paused", "open", or "" for none
	Kind        sdk.Kind          `json:"kind,omitempty"`
	Failures    int               `json:"failures"` // in a row
	OpenSince   time.Time         `json:"open_since,omitzero"`
	PausedUntil time.Time         `json:"paused_until,omitzero"`
	NextProbe   time.Time         `json:"next_probe,omitzero"`
	Advice      string            `json:"advice,omitempty"`
}

// viewTargetState shows the state as it is at now: a pause that is over is none.
func viewTargetState(s provisioning.TargetState, now time.Time) targetStateView {
	hold, _ := s.Hold(now)
	v := targetStateView{Hold: hold, Failures: s.Health.Failures}
	if s.Health.PausedUntil.After(now) {
		v.Kind, v.PausedUntil = s.Health.Kind, utc(s.Health.PausedUntil)
	}
	if s.Health.Open() {
		v.Kind, v.OpenSince, v.NextProbe = s.Health.Kind, utc(s.Health.OpenedAt), utc(s.Health.ReadyAt())
	}
	if v.Kind != "" {
		v.Advice = provisioning.Advice(v.Kind)
	}
	return v
}

// String says for a person how the target is doing.
func (v targetStateView) String() string {
	switch v.Hold {
	case provisioning.HoldNone:
		return "ok"
	case provisioning.HoldMaintenance:
		return "maintenance"
	case provisioning.HoldPaused:
		return "paused until " + when(v.PausedUntil)
	default:
		return fmt.Sprintf("down since %s (%s), next try %s", when(v.OpenSince), v.Kind, when(v.NextProbe))
	}
}

// targetStateViews is the state of each target.
type targetStateViews map[provisioning.TargetName]targetStateView

// view returns the target with its limits and state.
func (v targetStateViews) view(t provisioning.Target) targetView {
	out := viewTarget(t)
	out.MaxConcurrency, out.RatePerMinute, out.Maintenance = t.MaxConcurrency, t.RatePerMinute, t.Maintenance
	out.State = v[t.Name]
	return out
}

func targetStates(ctx context.Context, s *daemon.System) (targetStateViews, error) {
	all, err := s.Health.List(ctx)
	out := targetStateViews{}
	for _, state := range all {
		out[state.Target] = viewTargetState(state, s.Now())
	}
	return out, err
}

// printTargetState shows the limits and the state of a target.
func printTargetState(w io.Writer, t targetView) {
	row(w, "max_concurrency:", t.MaxConcurrency)
	rate := "no limit"
	if t.RatePerMinute > 0 {
		rate = fmt.Sprint(t.RatePerMinute)
	}
	row(w, "rate_per_minute:", rate)
	row(w, "state:", t.State)
	if t.State.Advice != "" {
		row(w, "what to do:", t.State.Advice)
	}
}

type targetMaintenanceCommand struct {
	Name   string `arg:"" help:"Name of the target."`
	Switch string `arg:"" enum:"on,off" help:"on or off."`
}

// Run switches maintenance. A running server sees it within seconds.
func (c targetMaintenanceCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, audit.Action("target.maintenance_"+c.Switch), named("target", c.Name), func(ctx context.Context) error {
			return s.Targets.SetMaintenance(ctx, provisioning.TargetName(c.Name), c.Switch == "on")
		})
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		return r.did(done{Object: "target", Name: c.Name, Result: "maintenance " + c.Switch}, "maintenance of %s is %s", c.Name, c.Switch)
	})
}

type targetResumeCommand struct {
	Name string `arg:"" help:"Name of the target."`
}

// Run has a running server try the target within seconds.
func (c targetResumeCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, "target.resume", named("target", c.Name), func(ctx context.Context) error {
			return s.Health.Resume(ctx, provisioning.TargetName(c.Name), s.Now())
		})
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		return r.did(done{Object: "target", Name: c.Name, Result: "resumed"}, "%s is tried again now", c.Name)
	})
}
