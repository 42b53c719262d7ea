package op

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The headers of the Fetch standard's CORS protocol.
const (
	headerAllowOrigin  = "Access-Control-Allow-Origin"
	headerAllowMethods = "Access-Control-Allow-Methods"
	headerAllowHeaders = "Access-Control-Allow-Headers"
	headerExpose       = "Access-Control-Expose-Headers"
	headerMaxAge       = "Access-Control-Max-Age"
	headerOrigin       = "Origin"
)

// preflightMaxAge is how long a browser may keep a preflight's answer, in seconds.
const preflightMaxAge = "600"

// preflight lets any page send the request. The browser asks before the request is
// there, so nobody knows yet whose it is, and nothing is looked up. That gives
// nothing away: these endpoints go by what is in the request and never by a cookie,
// so that a page can send nothing that its own server could not, and who may read
// the answer is said with it. See docs/adr/0019.
func preflight(methods ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set(headerAllowOrigin, "*")
		h.Set(headerAllowMethods, strings.Join(methods, ", "))
		h.Set(headerAllowHeaders, "Authorization, Content-Type, DPoP")
		h.Set(headerMaxAge, preflightMaxAge)
		w.WriteHeader(http.StatusNoContent)
	}
}

// openToAll lets any page read what everybody may know.
func openToAll(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerAllowOrigin, "*")
		h(w, r)
	}
}

// page is where a browser's request comes from, and the header of its answer.
type page struct {
	origin string
	header http.Header
}

type pageKey struct{}

// crossOrigin lets a page of the application whose request it is read the answer,
// once it is known whose it is: see [admit].
func crossOrigin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", headerOrigin)
		if origin := r.Header.Get(headerOrigin); origin != "" {
			r = r.WithContext(context.WithValue(r.Context(), pageKey{}, page{origin, w.Header()}))
		}
		h(w, r)
	}
}

// admit lets the request's page read the answer if it is one of the application's.
// The application need not have proven who it is: it shall read, too, why it could
// not. There are no cookies to allow.
func admit(ctx context.Context, app application.Application) {
	from, ok := ctx.Value(pageKey{}).(page)
	if !ok || !app.Enabled || !slices.Contains(app.CORSOrigins, from.origin) {
		return
	}
	from.header.Set(headerAllowOrigin, from.origin)
	from.header.Set(headerExpose, "WWW-Authenticate, DPoP-Nonce, Retry-After")
}

// admitHolder is [admit] for the application that a token was issued to.
func (p *Provider) admitHolder(ctx context.Context, id provisioning.ClientID) error {
	if _, ok := ctx.Value(pageKey{}).(page); !ok {
		return nil
	}
	app, err := p.apps.Get(ctx, id)
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return internalError(err)
	}
	admit(ctx, app)
	return nil
}
