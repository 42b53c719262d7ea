package subject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/outbound"
)

// Sectors looks whether applications belong to the sectors they name.
type Sectors struct {
	HTTP *http.Client // with a timeout; decides where it may connect to
}

// Check fetches the application's sector_identifier_uri and returns
// [application.Problems] unless every redirect URI is listed there (OpenID Connect
// Core 1.0 section 8.1): who names a sector gets its subjects, so the sector must
// have named it. Nothing is fetched when before, the application as it is stored,
// was checked with the same URIs; the zero Application stands for a new one.
func (s Sectors) Check(ctx context.Context, before, a application.Application) error {
	uri := a.SectorIdentifierURI
	if uri == "" || uri == before.SectorIdentifierURI && subset(a.RedirectURIs, before.RedirectURIs) {
		return nil
	}
	listed, err := s.fetch(ctx, uri)
	if err != nil {
		return application.Problems{{Field: "sector_identifier_uri", Text: err.Error()}}
	}
	var problems application.Problems
	for i, redirect := range a.RedirectURIs {
		if !slices.Contains(listed, redirect) {
			problems = append(problems, application.Problem{
				Field: fmt.Sprintf("redirect_uris[%d]", i), Text: "is not listed at the sector_identifier_uri",
			})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func subset(some, of []string) bool {
	return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(of, v) })
}

// fetch returns the redirect URIs that the document lists.
func (s Sectors) fetch(ctx context.Context, uri string) ([]string, error) {
	raw, err := outbound.Fetch(ctx, s.HTTP, uri)
	if err != nil {
		return nil, fmt.Errorf("cannot be fetched: %w", err)
	}
	return parse(raw)
}

func parse(raw []byte) ([]string, error) {
	var listed []string
	if err := json.Unmarshal(raw, &listed); err != nil || listed == nil {
		return nil, errors.New("does not lead to a JSON array of redirect URIs")
	}
	return listed, nil
}
