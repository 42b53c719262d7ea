package provisioning

import "context"

// Permit is the gate's leave to mint for one application and one subject. Its
// fields are unexported: only this package makes one, and package op refuses to
// mint without it.
type Permit struct {
	client   ClientID
	subject  UserID
	decision DecisionID
}

// Allows reports whether the permit covers exactly this application and subject.
func (p Permit) Allows(client ClientID, subject UserID) bool {
	return p.decision != "" && p.client == client && p.subject == subject
}

// Decision returns the decision the permit rests on.
func (p Permit) Decision() DecisionID { return p.decision }

type permitKey struct{}

// WithPermit returns a context that carries the permit to the token strategies.
func WithPermit(ctx context.Context, p Permit) context.Context {
	return context.WithValue(ctx, permitKey{}, p)
}

// PermitFrom returns the permit in ctx; the zero Permit, which allows nothing,
// if there is none.
func PermitFrom(ctx context.Context) Permit {
	p, _ := ctx.Value(permitKey{}).(Permit)
	return p
}
