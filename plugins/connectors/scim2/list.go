package scim2

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/anteroom-id/anteroom/sdk"
)

// Paging bounds. maxPages ends what a server would continue for ever.
const (
	defaultPageSize = 100
	maxPageSize     = 200
	maxPages        = 100_000
)

// List returns every account. When the server does not return all it counts, the
// sequence ends with [sdk.KindUnsupported]: an incomplete list must not look
// like one with accounts missing.
func (t *Target) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	size := req.PageSize
	if size <= 0 {
		size = defaultPageSize
	}
	size = min(size, t.pageLimit())
	return func(yield func(sdk.Account, error) bool) {
		p := pages{client: t.client, kind: usersPath, size: size}
		for {
			page, err := p.next(ctx)
			if err != nil {
				yield(sdk.Account{}, err)
				return
			}
			if len(page) == 0 || !yieldAll(page, yield) {
				return
			}
		}
	}
}

// pageLimit is the largest page the server may be asked for.
func (t *Target) pageLimit() int { return cmp.Or(t.dialect.pageSize, maxPageSize) }

// yieldAll reports whether to go on.
func yieldAll(page []resource, yield func(sdk.Account, error) bool) bool {
	for _, r := range page {
		if r.id() == "" {
			yield(sdk.Account{}, noID())
			return false
		}
		if !yield(r.account(), nil) {
			return false
		}
	}
	return true
}

func noID() error { return unusable("the server returned a user without an id") }

// pages reads a list of resources page by page and always ends: after an empty page,
// after the number of results the server told, or with an error when a page
// repeats (some servers ignore startIndex) or there are too many.
type pages struct {
	client *client
	kind   string     // of resource
	query  url.Values // beside the paging parameters
	values []string   // the user's values in query
	size   int        // of the first page; 0 leaves it to the server
	limit  int        // of the others, once the first was not all

	read    int    // resources so far
	count   int    // pages so far
	firstID string // of the previous page
	done    bool
}

// next returns the next page, empty after the last one.
func (p *pages) next(ctx context.Context) ([]resource, error) {
	if p.done {
		return nil, nil
	}
	if p.count == maxPages {
		return nil, unusable("the list does not end")
	}
	l, err := p.fetch(ctx)
	if err != nil {
		return nil, err
	}
	repeated := p.count > 0 && len(l.resources) > 0 && l.resources[0].id() == p.firstID
	switch {
	case len(l.resources) == 0 && l.total > p.read:
		return nil, unusable("the server returned fewer resources than it counts")
	case repeated && l.total > 0:
		return nil, unusable("the server returns the same page again and again")
	case len(l.resources) == 0 || repeated:
		p.done = true
		return nil, nil
	}
	p.count++
	p.firstID = l.resources[0].id()
	p.read += len(l.resources)
	p.done = l.total > 0 && p.read >= l.total
	return l.resources, nil
}

// unusable is an answer that leaves open which accounts there are.
func unusable(message string) error {
	return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: message}
}

func (p *pages) fetch(ctx context.Context) (resources, error) {
	query := maps.Clone(p.query)
	if query == nil {
		query = url.Values{}
	}
	size := p.size
	if p.read > 0 {
		size = cmp.Or(size, p.limit)
	}
	if size > 0 {
		query.Set("count", strconv.Itoa(size))
	}
	if size > 0 || p.read > 0 {
		query.Set("startIndex", strconv.Itoa(p.read+1))
	}
	re, err := p.client.do(ctx, call{method: http.MethodGet, url: p.client.all(p.kind, query), values: p.values})
	switch {
	case err != nil && p.kind == groupsPath:
		return resources{}, noGroups(err)
	case err != nil:
		return resources{}, noService(err)
	}
	return decodeList(re.body)
}

// noService explains a user endpoint that is not there: it says nothing about
// any account.
func noService(err error) error {
	if !hasStatus(err, http.StatusNotFound) && !hasStatus(err, http.StatusGone) {
		return err
	}
	return &sdk.Error{
		Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "base_url",
		Message: "there is no SCIM user endpoint below this address", Err: err,
	}
}

// resources is a list response (RFC 7644, 3.4.2).
type resources struct {
	total     int // 0 when the server does not tell
	resources []resource
}

// errNotSCIM marks answers that are something else.
var errNotSCIM = errors.New("not SCIM")

func notSCIM() error {
	return &sdk.Error{
		Kind: sdk.KindTransient, Effect: sdk.EffectNone, Err: errNotSCIM,
		Message: "the answer is not SCIM: base_url may be wrong, or a maintenance page is shown",
	}
}

// decodeList reads a list response. What does not look like one is an error:
// taking it for an empty list would deny that accounts exist.
func decodeList(body []byte) (resources, error) {
	r, err := decodeResource(body)
	if err != nil {
		return resources{}, notSCIM()
	}
	elements, isList := r.get("Resources").([]any)
	number, isNumber := r.get("totalResults").(json.Number)
	if !isList && !isNumber {
		return resources{}, notSCIM()
	}
	var l resources
	if total, err := number.Int64(); err == nil {
		l.total = int(max(total, 0))
	}
	for _, element := range elements {
		user, ok := element.(map[string]any)
		if !ok {
			return resources{}, notSCIM()
		}
		l.resources = append(l.resources, user)
	}
	return l, nil
}
