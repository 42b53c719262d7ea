package flow

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/federation"
)

// Departures signs people out at the upstreams that they came by; see
// federation.Service.
type Departures interface {
	// Began takes part in ctx's transaction.
	Began(ctx context.Context, sid string, id federation.Identity) error
	// Depart returns "" if there is nothing to sign out of. It returns *federation.Error.
	Depart(ctx context.Context, sid string, browser []byte, returnTo string) (string, error)
	// Return uses the departure up; its browser is ours to check. It returns
	// federation.ErrState.
	Return(ctx context.Context, state string) (federation.Departure, error)
}

// upstreamFirst returns where a browser goes whose session is over: to the upstream it
// came by, if that is to be left, too. An upstream that cannot be reached keeps nobody
// here.
func (d *Driver) upstreamFirst(r *http.Request, sid, returnTo string) string {
	browser, ok := d.Sessions.Cookies.Browser(r)
	if d.Upstreams == nil || sid == "" || !ok {
		return returnTo
	}
	to, err := d.Upstreams.Depart(r.Context(), sid, browser.Hash(), returnTo)
	if err != nil {
		d.Log.WarnContext(r.Context(), "user not signed out upstream", "error", err)
	}
	return cmp.Or(to, returnTo)
}

// departed is the way back from the upstream. Where it leads was checked before the
// browser left and is kept here: no parameter names it.
func (d *Driver) departed(w http.ResponseWriter, r *http.Request) error {
	if d.Upstreams == nil {
		return federation.ErrNotFound
	}
	departure, err := d.Upstreams.Return(r.Context(), r.URL.Query().Get("state"))
	browser, _ := d.Sessions.Cookies.Browser(r)
	switch {
	case errors.Is(err, federation.ErrState) || err == nil && !browser.Is(departure.Browser):
		seeOther(w, r, pathSignOut) // asks, if there is anything to sign out of
	case err != nil:
		return err
	default:
		seeOther(w, r, cmp.Or(departure.ReturnTo, pathSignedOut))
	}
	return nil
}
