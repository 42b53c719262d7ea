package ldap

import (
	"context"
	"iter"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// Paging bounds. maxPages ends what a directory would continue for ever.
const (
	defaultPageSize = 500
	maxPageSize     = 1000 // the most that Active Directory gives at once
	maxPages        = 100_000
	maxEmptyPages   = 100 // in a row: a directory may filter after it has counted
)

// List returns every account beneath base_dn. When the directory stops before
// the end, the sequence ends with [sdk.KindUnsupported]: an incomplete list must
// not look like one with accounts missing.
func (t *Target) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	size := req.PageSize
	if size <= 0 {
		size = defaultPageSize
	}
	return func(yield func(sdk.Account, error) bool) {
		pages := t.pages(t.people(t.profile.people), min(size, maxPageSize))
		defer pages.close()
		for {
			page, err := pages.next(ctx)
			if err != nil {
				yield(sdk.Account{}, err)
				return
			}
			if len(page) == 0 || !t.yieldAll(page, yield) {
				return
			}
		}
	}
}

// yieldAll reports whether to go on.
func (t *Target) yieldAll(page []*goldap.Entry, yield func(sdk.Account, error) bool) bool {
	for _, e := range page {
		account, err := t.profile.account(e)
		if !yield(account, err) || err != nil {
			return false
		}
	}
	return true
}

// pages reads the result of a search page by page (RFC 2696), over a connection
// of its own: a cookie is good on the connection it came over alone, and who
// reads slowly must not keep others waiting.
type pages struct {
	target *Target
	query  query
	paging *goldap.ControlPaging
	first  string // name of the first entry of the page before
	count  int
	done   bool
	conn   *session
}

func (t *Target) pages(q query, size int) *pages {
	return &pages{target: t, query: q, paging: goldap.NewControlPaging(uint32(size))}
}

func (p *pages) close() {
	if p.conn != nil {
		p.conn.close()
	}
}

// next returns the next page that is not empty; none after the last one. It
// always ends: pages that repeat, and too many of them, are an error.
func (p *pages) next(ctx context.Context) ([]*goldap.Entry, error) {
	for empty := 0; !p.done; empty++ {
		if p.count == maxPages || empty > maxEmptyPages {
			return nil, sdk.Unsupported("the list does not end")
		}
		result, err := p.fetch(ctx)
		if err == nil {
			err = p.target.referred(result.Referrals)
		}
		if err != nil {
			return nil, err
		}
		p.count++
		p.advance(result)
		if len(result.Entries) == 0 {
			continue
		}
		if result.Entries[0].DN == p.first {
			return nil, sdk.Unsupported("the directory returns the same page again and again")
		}
		p.first = result.Entries[0].DN
		return result.Entries, nil
	}
	return nil, nil
}

// advance takes the cookie for the next page. There is none when the answer has
// none.
func (p *pages) advance(result *goldap.SearchResult) {
	control, _ := goldap.FindControl(result.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
	if control == nil || len(control.Cookie) == 0 {
		p.done = true
		return
	}
	p.paging.SetCookie(control.Cookie)
}

func (p *pages) fetch(ctx context.Context) (*goldap.SearchResult, error) {
	pool := p.target.pool
	ctx, cancel := context.WithTimeout(ctx, pool.timeout)
	defer cancel()
	if p.conn == nil {
		conn, err := pool.dialer.connect(ctx)
		if err != nil {
			return nil, pool.unconnected(err)
		}
		p.conn = conn
	}
	q := p.query
	var result *goldap.SearchResult
	err := p.conn.exchange(ctx, maxLarge, func(conn *goldap.Conn) (err error) {
		result, err = conn.Search(q.request(0, p.paging))
		return err
	})
	if hasCode(err, goldap.LDAPResultNoSuchObject) {
		return nil, sdk.Invalid(q.field, "there is no such entry, or bind_dn may not see it")
	}
	return result, pool.failure(call{name: "search", values: q.values}, true, err)
}
