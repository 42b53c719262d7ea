package scim2

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// provider is what a server says it can do (RFC 7643, 5). What it does not say, or
// says in a way that cannot be read, is not known: nil, and then it is tried.
type provider struct {
	patch, etag, filter *bool
}

// providerTimeout bounds the question: the change that is waiting matters more.
const providerTimeout = 2 * time.Second

// provider asks the server once what it can do. One that has no answer to give
// can do what the dialect says; one that cannot be reached is asked again when it
// is needed next.
func (t *Target) provider(ctx context.Context) provider {
	if t.dialect.config == "" {
		return provider{}
	}
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	p, err := t.provided.get(ctx, func(provider) bool { return true }, t.askProvider)
	if err != nil {
		return provider{}
	}
	return p
}

func (t *Target) askProvider(ctx context.Context) (provider, error) {
	re, err := t.client.do(ctx, call{method: http.MethodGet, url: t.client.all(t.dialect.config, nil)})
	if k := sdk.KindOf(err); k == sdk.KindTransient || k == sdk.KindRateLimited || k == sdk.KindUnauthorized {
		return provider{}, err
	}
	if err != nil {
		return provider{}, nil
	}
	return parseProvider(re.body), nil
}

// parseProvider reads member by member: one that is missing or odd must not make
// the others unknown.
func parseProvider(body []byte) provider {
	r, err := decodeResource(body)
	if err != nil {
		return provider{}
	}
	if list := r.entries("Resources"); len(list) == 1 { // some answer with a list of one
		if only, ok := list[0].(map[string]any); ok {
			r = only
		}
	}
	return provider{patch: r.supported("patch"), etag: r.supported("etag"), filter: r.supported("filter")}
}

// supported reads a member of a feature, nil when it does not tell.
func (r resource) supported(feature string) *bool {
	return boolean(r.child(feature).get("supported"))
}

// refuses reports whether the answer is a plain no.
func refuses(answer *bool) bool { return answer != nil && !*answer }

// boolean tolerates the strings and numbers some servers write for booleans; nil
// for anything else.
func boolean(v any) *bool {
	yes, no := true, false
	switch v {
	case true, "true", "True", "TRUE", json.Number("1"):
		return &yes
	case false, "false", "False", "FALSE", json.Number("0"):
		return &no
	}
	return nil
}
