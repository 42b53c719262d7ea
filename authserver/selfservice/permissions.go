package selfservice

import (
	"context"
	"net/http"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Permissions tells and ends what applications may do for users.
type Permissions interface {
	// Of returns what stands at a time, ordered for people.
	Of(ctx context.Context, user provisioning.UserID, now time.Time) ([]application.Permission, error)
	// Withdraw forgets the consent and ends all codes and tokens; none is no error.
	Withdraw(ctx context.Context, user provisioning.UserID, client provisioning.ClientID, at time.Time) error
}

const (
	pathPermissions = "/account/applications"
	fieldClient     = "client_id" // whose permission to withdraw
)

func (p Pages) showPermissions(w http.ResponseWriter, r *http.Request, v visit) error {
	all, err := p.Permissions.Of(r.Context(), v.user.ID, p.Now())
	if err != nil {
		return err
	}
	page := web.PermissionsPage{Form: v.formTo(pathPermissions)}
	for _, a := range all {
		page.Permissions = append(page.Permissions, web.PermissionRow{
			Client: string(a.Client), App: a.Name, Since: clockText(a.Since), Asks: v.texts.Asks(a.Scopes),
		})
	}
	p.Pages.Permissions(w, v.texts, page)
	return nil
}

// withdraw takes what one application may do. It asks for no password: it can only
// take away, and whoever is in a hurry to do so should not be held up.
func (p Pages) withdraw(w http.ResponseWriter, r *http.Request, v visit) error {
	client := provisioning.ClientID(v.form.Get(fieldClient))
	if err := p.Permissions.Withdraw(r.Context(), v.user.ID, client, p.Now()); err != nil {
		return err
	}
	p.Log.InfoContext(r.Context(), "user withdrew what an application might do", "user_id", v.user.ID, "client_id", client)
	return did(w, r, "withdrawn")
}
