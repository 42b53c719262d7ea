package application

import (
	"slices"
	"strings"
)

// The algorithms that this server can sign for an application with.
const (
	AlgRS256 = "RS256"
	AlgES256 = "ES256"
	AlgEdDSA = "EdDSA" // Ed25519
)

// SigningAlgs are the algorithms of ID and logout tokens and of signed userinfo. None of them is
// symmetric, and none is "none".
func SigningAlgs() []string { return []string{AlgRS256, AlgES256, AlgEdDSA} }

func (p *Problems) checkSigningAlg(field, alg string) {
	if !slices.Contains(SigningAlgs(), alg) {
		p.add(field, "must be one of "+strings.Join(SigningAlgs(), ", "))
	}
}
