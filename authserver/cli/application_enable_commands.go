package cli

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

type applicationDisableCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id."`
}

// Run disables an application.
func (c applicationDisableCommand) Run(r *run) error {
	return r.enableApplication(c.ClientID, false, "application.disable", "disabled")
}

type applicationEnableCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id."`
}

// Run takes that back.
func (c applicationEnableCommand) Run(r *run) error {
	return r.enableApplication(c.ClientID, true, "application.enable", "enabled")
}

// enableApplication says whether an application may do anything. What was issued to it
// stays, and is good for nothing while it is disabled.
func (r *run) enableApplication(id string, enabled bool, action audit.Action, result string) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, action, named("application", id), func(ctx context.Context) error {
			a, err := s.Applications.Get(ctx, provisioning.ClientID(id))
			if err != nil {
				return err
			}
			a.Enabled = enabled
			_, err = s.Applications.Put(ctx, a)
			return err
		})
		if err != nil {
			return about(fmt.Sprintf("application %q", id), err)
		}
		return r.did(done{Object: "application", Name: id, Result: result}, "%s is %s", id, result)
	})
}
