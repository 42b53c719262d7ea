package salesforce

import (
	"context"
	"iter"

	"github.com/anteroom-id/anteroom/sdk"
)

// Page sizes that Salesforce takes.
const (
	minBatch     = 200
	maxBatch     = 2000
	defaultBatch = 1000
)

// List returns every account, active or not.
func (t *Target) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	size := req.PageSize
	if size <= 0 {
		size = defaultBatch
	}
	return func(yield func(sdk.Account, error) bool) {
		p := t.client.query("SELECT "+t.client.columns()+" FROM User ORDER BY Id", min(max(size, minBatch), maxBatch))
		for p.path != "" {
			records, err := p.next(ctx)
			if err != nil {
				yield(sdk.Account{}, err)
				return
			}
			for _, r := range records {
				a, err := t.client.account(r)
				if !yield(a, err) || err != nil {
					return
				}
			}
		}
	}
}
