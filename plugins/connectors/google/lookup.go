package google

import (
	"context"
	"iter"
	"strings"

	directory "google.golang.org/api/admin/directory/v1"

	"github.com/anteroom-id/anteroom/sdk"
)

// Paging bounds.
const (
	maxPageSize     = 500
	defaultPageSize = 100
	maxPages        = 100_000
)

// Lookup returns the accounts that have the key's value. By externalId it uses
// Google's search, which may take hours to know a change; by primaryEmail it
// reads the account. An address that is only an alias of an account is not found.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	switch {
	case req.Value == "":
		return nil, sdk.Invalid(req.Key, "must not be empty")
	case req.Key == attrExternalID:
		return t.byExternalID(ctx, req.Value)
	case req.Key != attrPrimaryEmail:
		return nil, sdk.Invalid(req.Key, "is not a key")
	case checkEmail(req.Value) != nil: // no address; as a key of Google's it could be an id
		return nil, nil
	}
	u, err := t.user(ctx, req.Value)
	switch {
	case notThere(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !strings.EqualFold(u.PrimaryEmail, req.Value):
		return nil, nil
	}
	return []sdk.Account{t.account(u)}, nil
}

// notThere reports whether Google said that there is no such account. A wrong
// address of the API, or an account made moments ago, is something else.
func notThere(err error) bool { return sdk.KindOf(err) == sdk.KindNotFound }

// byExternalID searches. The search knows values only, so the entry's type is
// compared here.
func (t *Target) byExternalID(ctx context.Context, value string) ([]sdk.Account, error) {
	quoted := "externalId='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
	var found []sdk.Account
	for page, err := range t.pages(ctx, quoted, defaultPageSize, value) {
		if err != nil {
			return nil, err
		}
		for _, u := range page {
			if a := t.account(u); a.Attributes.String(attrExternalID) == value {
				found = append(found, a)
			}
		}
	}
	return found, nil
}

// pages lists users page by page. It ends after the first error.
func (t *Target) pages(ctx context.Context, query string, size int, values ...string) iter.Seq2[[]*directory.User, error] {
	return func(yield func([]*directory.User, error) bool) {
		token := ""
		for range maxPages {
			var page *directory.Users
			_, err := t.do(ctx, call{values: values}, func(ctx context.Context) (err error) {
				list := t.service.Users.List().Customer(t.cfg.Customer).MaxResults(int64(size)).OrderBy("email")
				if query != "" {
					list.Query(query)
				}
				if token != "" {
					list.PageToken(token)
				}
				if mask := t.mask(); mask != "" {
					list.Projection("custom").CustomFieldMask(mask)
				}
				page, err = list.Context(ctx).Do()
				return err
			})
			switch {
			case err != nil:
				yield(nil, err)
				return
			case page.NextPageToken != "" && page.NextPageToken == token:
				yield(nil, sdk.Unsupported("Google returns the same page again and again"))
				return
			case !yield(page.Users, nil) || page.NextPageToken == "":
				return
			}
			token = page.NextPageToken
		}
		yield(nil, sdk.Unsupported("the list does not end"))
	}
}

// mask names the custom schemas to read, "" for none.
func (t *Target) mask() string { return strings.Join(t.cfg.CustomSchemas, ",") }

// List returns every account of the customer, without deleted ones.
func (t *Target) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	size := req.PageSize
	if size <= 0 {
		size = defaultPageSize
	}
	return func(yield func(sdk.Account, error) bool) {
		for page, err := range t.pages(ctx, "", min(size, maxPageSize)) {
			if err != nil {
				yield(sdk.Account{}, err)
				return
			}
			for _, u := range page {
				if u.Id == "" {
					yield(sdk.Account{}, sdk.Unsupported("Google returned a user without an id"))
					return
				}
				if !yield(t.account(u), nil) {
					return
				}
			}
		}
	}
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	u, err := t.byID(ctx, req.ID)
	if err != nil {
		return sdk.Account{}, err
	}
	return t.account(u), nil
}

func (t *Target) byID(ctx context.Context, id string) (*directory.User, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	u, err := t.user(ctx, id)
	if err == nil && u.Id != id {
		return nil, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "Google answered with another account than the one asked for"}
	}
	return u, err
}

// checkID refuses what is no id of Google's: an address would find an account,
// too, but after a rename perhaps another one.
func checkID(id string) error {
	for _, r := range id {
		if r < '0' || r > '9' {
			return sdk.NotFound("Google gives numbers for ids")
		}
	}
	if id == "" || len(id) > 64 {
		return sdk.NotFound("Google gives numbers for ids")
	}
	return nil
}

// user reads by id or address.
func (t *Target) user(ctx context.Context, key string) (u *directory.User, err error) {
	c := call{values: []string{key}}
	if checkID(key) == nil { // of an address nobody knows that there is an account
		c.account = key
	}
	_, err = t.do(ctx, c, func(ctx context.Context) (err error) {
		get := t.service.Users.Get(key)
		if mask := t.mask(); mask != "" {
			get.Projection("custom").CustomFieldMask(mask)
		}
		u, err = get.Context(ctx).Do()
		return err
	})
	return u, err
}
