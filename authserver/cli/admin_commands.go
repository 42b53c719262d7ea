package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/user"
)

type adminCommands struct {
	List   adminListCommand   `cmd:"" help:"List administrators."`
	Grant  adminGrantCommand  `cmd:"" help:"Let a user into the console, in place of any role they have."`
	Revoke adminRevokeCommand `cmd:"" help:"Take a user's role away."`
}

type adminListCommand struct{}

// adminView is one line of the list.
type adminView struct {
	Login     string     `json:"login"`
	ID        string     `json:"id"`
	Role      admin.Role `json:"role"`
	GrantedAt time.Time  `json:"granted_at"`
}

func viewAdmin(a admin.Administrator) adminView {
	return adminView{a.Login, string(a.User), a.Role, a.GrantedAt.UTC()}
}

// Run lists administrators.
func (adminListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		all, err := s.Admins.List(ctx)
		if err != nil {
			return err
		}
		return r.print(list(all, viewAdmin), func(w io.Writer) {
			row(w, "LOGIN", "ROLE", "SINCE", "ID")
			for _, a := range all {
				row(w, a.Login, a.Role, a.GrantedAt.UTC().Format(time.RFC3339), a.User)
			}
		})
	})
}

type adminGrantCommand struct {
	Login string     `arg:"" help:"Login or id."`
	Role  admin.Role `help:"What they may do: admin changes how things are set up, operator keeps them going, auditor looks." enum:"admin,operator,auditor" required:""`
}

// Run gives a user a role.
func (c adminGrantCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		if !u.Active() {
			return fmt.Errorf("user %q is disabled", c.Login)
		}
		err := acts(ctx, s, "administrator.grant", objectOf(u), func(ctx context.Context) error {
			return s.Admins.Grant(ctx, u.ID, c.Role, s.Now())
		})
		if err != nil {
			return err
		}
		return r.did(done{Object: "administrator", Name: u.Login, Result: string(c.Role)}, "%s is %s", u.Login, c.Role)
	})
}

type adminRevokeCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run takes a user's role away.
func (c adminRevokeCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		err := acts(ctx, s, "administrator.revoke", objectOf(u), func(ctx context.Context) error { return s.Admins.Revoke(ctx, u.ID) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "administrator", Name: u.Login, Result: "revoked"}, "%s is no administrator", u.Login)
	})
}
