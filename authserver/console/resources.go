package console

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/console/form"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Resources reads and changes what administrators set up; *resources.Backend is one.
type Resources interface {
	// ListApplications returns all with their bindings, by client_id.
	ListApplications(ctx context.Context) ([]resources.Application, error)
	// Application returns one with its bindings, or application.ErrNotFound.
	Application(ctx context.Context, id provisioning.ClientID) (resources.Application, error)
	// Names returns what bindings may name.
	Names(ctx context.Context) (resources.Names, error)
	// Plan returns resources.Problems for a document that cannot be applied.
	Plan(ctx context.Context, doc resources.Document) (resources.Plan, error)
	// Apply carries a plan out, whole or not at all.
	Apply(ctx context.Context, plan resources.Plan) error
}

// errChanged means that somebody else changed what the form is about since it was
// drawn.
var errChanged = errors.New("changed by somebody else")

// digest tells versions of a document apart.
func digest(document any) (string, error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("digest document: %w", err)
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:12]), nil
}

// apply makes a plan of the document and carries it out. Problems are those of the
// document's only noun, whose path is prefix, such as "applications[0].".
func (c *Console) apply(ctx context.Context, doc resources.Document, prefix string) (resources.Plan, form.Problems, error) {
	plan, err := c.Resources.Plan(ctx, doc)
	var problems resources.Problems
	if errors.As(err, &problems) {
		return plan, problemsBelow(problems, prefix), nil
	}
	if err != nil {
		return plan, nil, err
	}
	err = c.Resources.Apply(ctx, plan)
	if errors.Is(err, application.ErrStale) {
		return plan, nil, errChanged
	}
	return plan, nil, err
}

// problemsBelow names problems by the paths of the form.
func problemsBelow(problems resources.Problems, prefix string) form.Problems {
	out := form.Problems{}
	for _, p := range problems {
		path := strings.TrimPrefix(p.Path, prefix)
		if earlier, ok := out[path]; ok {
			out[path] = earlier + "; " + p.Text
		} else {
			out[path] = p.Text
		}
	}
	return out
}
