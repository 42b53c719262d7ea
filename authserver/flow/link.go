package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Linker lets users of ours sign in with an upstream's identity; see
// federation.Service.
type Linker interface {
	// Link takes part in ctx's transaction. It returns *federation.Error.
	Link(ctx context.Context, id federation.Identity, user provisioning.UserID) error
}

// link is the upstream's answer to a user who began to link it. It counts in the
// session in which they did, and in no other: an answer from elsewhere would let its
// sender in as them.
func (d *Driver) link(w http.ResponseWriter, r *http.Request, attempt federation.Attempt, answer url.Values) error {
	current, err := d.current(r)
	if err != nil {
		return err
	}
	if current.ID == "" || current.ID != attempt.Owner.Session || current.User != attempt.Owner.User {
		d.Pages.Message(w, d.Pages.Texts(r, ""), web.MessagePage{Status: http.StatusForbidden, Title: "link.failed", Text: "link.session"})
		return nil
	}
	identity, err := d.Upstreams.Finish(r.Context(), attempt, answer)
	if err == nil {
		err = d.Tx.InTx(r.Context(), func(ctx context.Context) error { return d.Upstreams.Link(ctx, identity, current.User) })
	}
	if failed, ok := errors.AsType[*federation.Error](err); ok {
		d.linkFailed(w, r, current.User, failed)
		return nil
	}
	if err != nil {
		return fmt.Errorf("link upstream: %w", err)
	}
	d.Log.InfoContext(r.Context(), "user linked an upstream", "user_id", current.User, "upstream", attempt.Upstream)
	seeOther(w, r, federation.LinksPath+"?done=linked")
	return nil
}

func (d *Driver) linkFailed(w http.ResponseWriter, r *http.Request, user provisioning.UserID, failed *federation.Error) {
	page := web.MessagePage{Status: upstreamStatus(failed.Kind), Title: "link.failed", Reference: NewReference(), Link: federation.LinksPath}
	d.Log.WarnContext(r.Context(), "link with upstream failed", "user_id", user, "upstream", failed.Upstream, "kind", string(failed.Kind),
		"reference", page.Reference, "error", failed.Err)
	texts := d.Pages.Texts(r, "")
	page.Text, page.LinkText = texts.T("link."+string(failed.Kind), "upstream", failed.Label), texts.T("link.back")
	d.Pages.Message(w, texts, page)
}
