package ldap

import (
	"context"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// query is one search.
type query struct {
	base   string
	field  string // the configuration field the base is from, "" for an entry found earlier
	scope  int
	filter string
	reads  []string
	values []string // the user's values in it
	all    bool     // every match, however many
	large  bool     // entries may be
}

// maxMatches is how many entries a search for one is told of. More than one is
// as good as any number.
const maxMatches = 20

// search returns the entries that match, at most maxMatches of them unless the
// query is for all. A base that is not there is [sdk.KindInvalid] with its field: it says nothing about any
// account.
func (t *Target) search(ctx context.Context, q query) ([]*goldap.Entry, error) {
	var found *goldap.SearchResult
	err := t.pool.do(ctx, call{name: "search", values: q.values, large: q.all || q.large, run: func(conn *goldap.Conn) (err error) {
		if q.all {
			found, err = conn.SearchWithPaging(q.request(0), defaultPageSize)
		} else {
			found, err = conn.Search(q.request(maxMatches))
		}
		return err
	}})
	switch {
	case hasCode(err, goldap.LDAPResultNoSuchObject) && q.field != "":
		return nil, sdk.Invalid(q.field, "there is no such entry, or bind_dn may not see it")
	case hasCode(err, goldap.LDAPResultSizeLimitExceeded) && found != nil && len(found.Entries) > 1:
		return found.Entries, nil
	case err != nil:
		return nil, err
	}
	return found.Entries, t.referred(found.Referrals)
}

// request is made anew for every call: paging leaves its mark on one.
func (q query) request(limit int, controls ...goldap.Control) *goldap.SearchRequest {
	return goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, limit, 0, false, q.filter, q.reads, controls)
}

// referred is the error for parts of a search that lie elsewhere: an account may
// be there that was not seen. Nothing is ever asked there, because bind_dn's
// password would go to whatever host the answer names. Active Directory always
// names its own partitions without people.
func (t *Target) referred(references []string) error {
	if t.config.Referrals == referralsIgnore {
		return nil
	}
	for _, r := range references {
		_, place, _ := strings.Cut(strings.ToUpper(r), "://")
		_, name, _ := strings.Cut(place, "/")
		partition := strings.HasPrefix(name, "CN=CONFIGURATION,") ||
			strings.HasPrefix(name, "DC=DOMAINDNSZONES,") || strings.HasPrefix(name, "DC=FORESTDNSZONES,")
		if !t.profile.ad || !partition {
			return &sdk.Error{
				Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: "base_dn",
				Message: "part of base_dn lies on another server, which is not followed: choose a base_dn without it, or set referrals to ignore",
			}
		}
	}
	return nil
}

// people is a query beneath base_dn.
func (t *Target) people(filter string, values ...string) query {
	return query{
		base: t.config.BaseDN, field: "base_dn", scope: goldap.ScopeWholeSubtree,
		filter: filter, reads: t.profile.reads(), values: values,
	}
}

// read returns the entry with an id.
func (t *Target) read(ctx context.Context, id string) (*goldap.Entry, error) {
	filter, ok := t.profile.byID(id)
	if !ok {
		return nil, sdk.NotFound("no directory gives such an id")
	}
	found, err := t.search(ctx, t.people(filter))
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, notFound()
	case len(found) > 1:
		return nil, &sdk.Error{Kind: sdk.KindAmbiguous, Effect: sdk.EffectNone, Message: fmt.Sprintf("several entries have this %s", t.profile.id)}
	}
	return found[0], nil
}

// Lookup returns the accounts that have the key's value.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if req.Key != nameOwner && req.Key != nameLogin && req.Key != namePrincipal {
		return nil, invalidAttribute(req.Key, "is not a key")
	}
	ldapName := t.profile.names[req.Key]
	if ldapName == "" {
		return nil, &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: req.Key, Message: "the profile has no such attribute"}
	}
	if _, err := t.profile.newChange(sdk.Attributes{req.Key: req.Value}, nil); err != nil || req.Value == "" {
		if err == nil {
			err = invalidAttribute(req.Key, "must not be empty")
		}
		return nil, err
	}
	found, err := t.search(ctx, t.people(t.profile.byValue(ldapName, req.Value), req.Value))
	if err != nil {
		return nil, err
	}
	var out []sdk.Account
	for _, e := range found {
		account, err := t.profile.account(e)
		if err != nil {
			return nil, err
		}
		for _, value := range e.GetEqualFoldAttributeValues(ldapName) {
			if strings.EqualFold(value, req.Value) { // it need not be the first
				account.Attributes[req.Key] = value
			}
		}
		out = append(out, account)
	}
	return out, nil
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	e, err := t.read(ctx, req.ID)
	if err != nil {
		return sdk.Account{}, err
	}
	return t.profile.account(e)
}
