package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

type targetApproveCommand struct {
	Name   string `arg:"" help:"Name of the target."`
	Reject bool   `help:"Keep the accounts as they are instead."`
}

// Run decides on the accounts of a target that are held. A running server picks
// them up within seconds.
func (c targetApproveCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		target := provisioning.TargetName(c.Name)
		if _, err := s.Targets.Get(ctx, target); err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		decide, verb, action := s.Accounts.Approve, "approved", audit.Action("target.approve_held")
		if c.Reject {
			decide, verb, action = s.Accounts.Reject, "rejected", "target.reject_held"
		}
		var n int
		err := acts(ctx, s, action, named("target", c.Name), func(ctx context.Context) (err error) {
			n, err = decide(ctx, target, s.Now())
			return err
		})
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		return r.print(map[string]int{verb: n}, func(w io.Writer) {
			row(w, plural(n, "held account is", "held accounts are")+" "+verb)
		})
	})
}
