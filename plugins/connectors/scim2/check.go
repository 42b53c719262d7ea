package scim2

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Check tries, in order, to resolve, reach, trust, sign in to and read from the
// server, and whether it speaks SCIM. Steps after a failure are skipped. The error
// is always nil: failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	var read error
	return sdk.Probes(ctx, sdkhttp.Reach(ctx, t.client.base, t.client.tls, "base_url"),
		sdk.Probe{Name: "credentials", Try: func(ctx context.Context) (string, error) {
			read = t.readOne(ctx)
			return "the server accepts them", unless(accepted(read), read)
		}, Fix: "Check the credentials; if the server cannot answer, look at the server."},
		sdk.Probe{Name: "permission", Try: func(context.Context) (string, error) {
			return "users can be read", unless(sdk.KindOf(read) != sdk.KindForbidden, read)
		}, Fix: "Allow the credentials to manage users."},
		sdk.Probe{Name: "schema", Try: func(ctx context.Context) (string, error) {
			if read != nil {
				return "", read
			}
			return t.checkProvider(ctx)
		}, Fix: "Check the path of base_url, which ends where /Users begins, and that SCIM 2.0 with filters is switched on there."},
	), nil
}

// unless returns err if ok is false.
func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// accepted reports whether the server did not refuse the credentials and was able
// to say so.
func accepted(err error) bool {
	switch sdk.KindOf(err) {
	case sdk.KindUnauthorized:
		return false
	case sdk.KindTransient, sdk.KindRateLimited:
		return errors.Is(err, errNotSCIM)
	default:
		var e *sdk.Error
		return !errors.As(err, &e) || e.Field != "token_url"
	}
}

// checkProvider tells what the server says it can do. A server that cannot filter
// would hide accounts that are there.
func (t *Target) checkProvider(ctx context.Context) (string, error) {
	p := t.provider(ctx)
	if refuses(p.filter) {
		return "", sdk.Unsupported("the server says that it cannot filter: accounts that are there could not be found")
	}
	update := t.update
	if update == updateAuto && refuses(p.patch) {
		update = updatePut
	}
	return "users are SCIM resources; they are changed by " + map[string]string{updateAuto: "PATCH", updatePatch: "PATCH", updatePut: "PUT"}[update], nil
}

// messageOf is an error for an admin: the connector's own message, or what is
// known of a network failure.
func messageOf(err error) string {
	if e := sdk.AsError(err); e.Kind != sdk.KindInternal {
		return e.Message
	}
	return sdkhttp.Explain(err)
}

// readOne reads one user, which needs credentials and permission and changes
// nothing.
func (t *Target) readOne(ctx context.Context) error {
	query := url.Values{"startIndex": {"1"}, "count": {"1"}}
	re, err := t.client.do(ctx, call{method: http.MethodGet, url: t.client.all(usersPath, query)})
	if err != nil {
		return noService(err)
	}
	_, err = decodeList(re.body)
	return err
}
