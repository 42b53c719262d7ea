package selfservice

import (
	"context"
	"fmt"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/web"
)

// fieldSure is the box to tick.
const fieldSure = "sure"

func (p Pages) showDelete(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.deletePage(w, r, v, http.StatusOK)
}

// mayDelete is who registered by themselves. Who was created by an admin or another
// system would be created again, or be missed.
func (v visit) mayDelete() bool { return v.user.Home != "" }

func (p Pages) deletePage(w http.ResponseWriter, r *http.Request, v visit, status int) error {
	if !v.mayDelete() {
		p.Pages.Message(w, v.texts, web.MessagePage{
			Status: http.StatusForbidden, Title: "delete.title", Text: "delete.ask", Link: pathAccount, LinkText: v.texts.T("account.back"),
		})
		return nil
	}
	systems, err := p.systems(r, v)
	if err != nil {
		return err
	}
	p.Pages.Delete(w, v.texts, status, web.DeletePage{
		Form: v.formTo(pathDelete), Login: v.user.Login, Systems: systems, Failed: status != http.StatusOK,
	})
	return nil
}

func (p Pages) deleteAccount(w http.ResponseWriter, r *http.Request, v visit) error {
	if !v.mayDelete() || v.form.Get(fieldSure) != "yes" {
		return p.deletePage(w, r, v, http.StatusUnprocessableEntity)
	}
	err := p.Tx.InTx(r.Context(), func(ctx context.Context) error { return p.Users.Delete(ctx, v.user.ID) })
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	p.Log.InfoContext(r.Context(), "user deleted their account", "user_id", v.user.ID)
	cookie, err := p.Sessions.End(r.Context(), r)
	if err != nil {
		return err
	}
	if cookie != nil {
		http.SetCookie(w, cookie)
	}
	p.Pages.Message(w, v.texts, web.MessagePage{Title: "delete.done.title", Text: "delete.done.text"})
	return nil
}
