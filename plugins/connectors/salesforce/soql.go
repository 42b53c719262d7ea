package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// maxPages ends a query that the org would continue for ever.
const maxPages = 10_000

var soqlEscapes = strings.NewReplacer(
	`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`,
)

// quote makes a string literal of SOQL, whatever is in s.
func quote(s string) string { return "'" + soqlEscapes.Replace(s) + "'" }

// quoteList is the right side of IN.
func quoteList(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return "(" + strings.Join(quoted, ",") + ")"
}

// page is one answer to a query.
type page struct {
	Records *[]record `json:"records"` // nil when the answer is no page
	Done    bool      `json:"done"`
	Next    string    `json:"nextRecordsUrl"`
}

// pages reads the records of a query, page by page.
type pages struct {
	client *client
	path   string // of the next page, "" at the end
	batch  int
	values []string // the user's values in the query
	count  int
}

func (c *client) query(soql string, batch int, values ...string) *pages {
	return &pages{client: c, path: c.root + "/query?" + url.Values{"q": {soql}}.Encode(), batch: batch, values: values}
}

// next returns the next page, nil after the last one.
func (p *pages) next(ctx context.Context) ([]record, error) {
	if p.path == "" {
		return nil, nil
	}
	if p.count++; p.count > maxPages {
		return nil, unusable("the result of the query does not end")
	}
	resp, err := p.client.do(ctx, call{method: http.MethodGet, path: p.path, batch: p.batch, values: p.values})
	if err != nil {
		return nil, noService(err)
	}
	var got page
	if err := resp.Decode(&got); err != nil {
		return nil, err
	}
	switch {
	case got.Records == nil:
		return nil, unusable("the answer is no result of a query")
	case got.Done:
		p.path = ""
	case got.Next == p.path || !strings.HasPrefix(got.Next, "/services/data/") || strings.ContainsAny(got.Next, "?#\\ "):
		return nil, unusable("the answer does not say where the query goes on")
	default:
		p.path = got.Next
	}
	return *got.Records, nil
}

// all returns every record.
func (p *pages) all(ctx context.Context) ([]record, error) {
	var out []record
	for p.path != "" {
		records, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, records...)
	}
	return out, nil
}

// unusable is an answer that leaves open which records there are.
func unusable(message string) error {
	return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: message}
}

// noService explains an address of the API that is not there: that says nothing
// about any account.
func noService(err error) error {
	if sdk.KindOf(err) != sdk.KindNotFound || answerOf(err) == nil {
		return err
	}
	e := sdk.Invalid("api_version", "the org has no REST API of this version")
	e.Err = err
	return e
}

func batchSize(n int) string { return fmt.Sprintf("batchSize=%d", n) }
