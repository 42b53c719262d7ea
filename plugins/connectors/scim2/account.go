package scim2

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

// Lookup returns the accounts that have the key's value.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if req.Key != keyExternalID && req.Key != keyUserName {
		return nil, invalidAttribute(req.Key, "is not a key")
	}
	if req.Value == "" || !utf8.ValidString(req.Value) {
		return nil, invalidAttribute(req.Key, "must be valid, non-empty text")
	}
	found, err := t.search(ctx, req.Key, req.Value)
	// Some servers compare userName exactly although names that differ only in
	// case collide: ask for the usual spelling, too.
	lower := strings.ToLower(req.Value)
	if err == nil && len(found) == 0 && req.Key == keyUserName && lower != req.Value {
		return t.search(ctx, req.Key, lower)
	}
	return found, err
}

// search asks with a filter and keeps what really matches. Only a server that
// returns something else is read to the last page.
func (t *Target) search(ctx context.Context, key, value string) ([]sdk.Account, error) {
	p := pages{
		client: t.client, kind: usersPath, query: url.Values{"filter": {equals(key, value)}}, values: []string{value}, limit: t.pageLimit(),
	}
	var found []sdk.Account
	for {
		page, err := p.next(ctx)
		if err != nil {
			return nil, searchError(key, err)
		}
		matching := 0
		for _, r := range page {
			if !hasKey(r, key, value) {
				continue
			}
			if r.id() == "" {
				return nil, noID()
			}
			matching++
			found = append(found, r.account())
		}
		if matching == len(page) {
			return found, nil
		}
		p.size = t.pageLimit() // the filter is ignored: all pages are needed
	}
}

func hasKey(r resource, key, value string) bool {
	if key == keyExternalID {
		return r.text(key) == value
	}
	return strings.EqualFold(r.text(key), value)
}

// searchError names the key in an error about filtering by it.
func searchError(key string, err error) error {
	var e *sdk.Error
	if !errors.As(err, &e) || answerOf(err) == nil || e.Kind != sdk.KindUnsupported {
		return err
	}
	named := *e
	named.Field = key
	return &named
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	r, err := t.read(ctx, req.ID)
	if err != nil {
		return sdk.Account{}, err
	}
	return r.account(), nil
}

func (t *Target) read(ctx context.Context, id string) (resource, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	re, err := t.client.do(ctx, call{method: http.MethodGet, url: t.client.user(id)})
	if err != nil {
		return nil, err
	}
	r, err := decodeResource(re.body)
	if err != nil || r.id() != id {
		return nil, notSCIM()
	}
	r.noteVersion(re.header)
	return r, nil
}

// checkID refuses ids that would address something else than one user.
func checkID(id string) error {
	if id == "" || id == "." || id == ".." {
		return &sdk.Error{Kind: sdk.KindNotFound, Effect: sdk.EffectNone, Message: "no server gives such an id"}
	}
	return nil
}

// Create makes a new account. An answer without an id is followed by its
// Location; when that yields none either, the outcome is unknown.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	c, err := newChange(req.Attributes, nil)
	if err == nil {
		err = t.complete(c)
	}
	if err != nil {
		return sdk.Account{}, err
	}
	endpoint := t.client.all(usersPath, nil)
	cl := call{method: http.MethodPost, url: endpoint, body: newResource(t.dialect.schema(), c, req.Active), values: c.values()}
	re, err := t.client.do(ctx, cl)
	if err != nil {
		return sdk.Account{}, noService(err)
	}
	if r, err := decodeResource(re.body); err == nil && r.id() != "" {
		return r.account(), nil
	}
	location := cmp.Or(re.header.Get("Location"), re.header.Get("Content-Location"))
	return t.follow(ctx, endpoint, location)
}

// complete refuses a new account without an attribute that the dialect requires:
// the error names it, as the server's own seldom does.
func (t *Target) complete(c change) error {
	for _, name := range t.dialect.required {
		if !slices.ContainsFunc(c.set, func(s assignment) bool { return s.name() == name }) {
			return invalidAttribute(name, "is required by a server of this dialect")
		}
	}
	return nil
}

// follow reads the account that a create reported by address only.
func (t *Target) follow(ctx context.Context, endpoint *url.URL, location string) (sdk.Account, error) {
	unknown := &sdk.Error{
		Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown,
		Message: "the server accepted the account without telling its id",
	}
	u, err := endpoint.Parse(location)
	if location == "" || err != nil || !sameOrigin(u, endpoint) {
		return sdk.Account{}, unknown
	}
	re, err := t.client.do(ctx, call{method: http.MethodGet, url: u})
	if err != nil {
		unknown.Err = err
		return sdk.Account{}, unknown
	}
	r, err := decodeResource(re.body)
	if err != nil || r.id() == "" {
		return sdk.Account{}, unknown
	}
	return r.account(), nil
}

// Delete removes an account; one that is not there is a success.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	if err := checkID(req.ID); err != nil {
		return err
	}
	if t.dialect.deleteSuspends {
		return sdk.Unsupported("a server of this dialect keeps deleted accounts, inactive: suspend them instead")
	}
	_, err := t.client.do(ctx, call{method: http.MethodDelete, url: t.client.user(req.ID)})
	err = t.goneInstead(ctx, req.ID, err)
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// goneInstead replaces a 500 for an account that is not there by
// [sdk.KindNotFound]: some servers answer so when they change or delete by an
// unknown id.
func (t *Target) goneInstead(ctx context.Context, id string, err error) error {
	if !hasStatus(err, http.StatusInternalServerError) {
		return err
	}
	if _, readErr := t.read(ctx, id); sdk.KindOf(readErr) == sdk.KindNotFound {
		return readErr
	}
	return err
}
