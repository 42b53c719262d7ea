package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// headerDPoP carries a proof (RFC 9449 section 4.1).
const headerDPoP = "DPoP"

// ProofStore remembers the DPoP proofs that were used.
type ProofStore interface {
	// UseProof marks the proof used until then, or returns ErrUsed. Of concurrent calls
	// with one hash one succeeds.
	UseProof(ctx context.Context, hash TokenHash, until time.Time) error
}

// readProof returns the proof that came with the request, made for it and now, or
// nil if none came. It is not used up: see useProof.
func (p *Provider) readProof(r *http.Request) (*proof, *protocolError) {
	headers := r.Header.Values(headerDPoP)
	switch len(headers) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, badProof("there is more than one")
	}
	shown, err := parseProof(headers[0])
	if err == nil {
		err = shown.claims.isFor(r.Method, p.issuer+r.URL.Path, p.now())
	}
	if err != nil {
		return nil, badProof(err.Error())
	}
	return shown, nil
}

// badProof is for developers, as all descriptions.
func badProof(reason string) *protocolError {
	return badRequest(codeInvalidDPoPProof, "The DPoP proof was not accepted: "+reason+".")
}

// useProof uses the proof up: each is taken once. It comes after every other check,
// so a proof for nothing leaves no row.
func (p *Provider) useProof(ctx context.Context, shown *proof) *protocolError {
	err := p.proofs.UseProof(ctx, shown.hash(), shown.claims.keepUntil())
	if errors.Is(err, ErrUsed) {
		return badProof("its jti was used before")
	}
	if err != nil {
		return internalError(err)
	}
	return nil
}

// bind ties the tokens of a request to the key of its proof (RFC 9449 section 5). A
// code or refresh token that is tied to a key already is for that key alone.
func (p *Provider) bind(ctx context.Context, u *unit, shown *proof) *protocolError {
	bound := u.boundTo()
	if shown == nil {
		if bound != "" || u.client.app.DPoPBoundAccessTokens {
			return badProof("one is required, and none came")
		}
		return nil
	}
	if bound != "" && bound != shown.jkt {
		return badRequest(codeInvalidGrant, "The code or refresh token is bound to another key.")
	}
	if fail := p.useProof(ctx, shown); fail != nil {
		return fail
	}
	u.jkt = shown.jkt
	return nil
}

// boundTo returns the key that the code or refresh token presented is for, "" if it is
// for any.
func (u *unit) boundTo() string {
	switch {
	case u.code != nil:
		return u.code.JKT
	case u.refresh != nil:
		return u.refresh.JKT
	default:
		return ""
	}
}

// bindPushed ties the code of a pushed request to the key of the proof that came with
// it (RFC 9449 section 10.1).
func bindPushed(form url.Values, shown *proof) *protocolError {
	if shown == nil {
		return nil
	}
	if form.Has(paramJKT) && form.Get(paramJKT) != shown.jkt {
		return badProof("its key is not that of the parameter dpop_jkt")
	}
	form.Set(paramJKT, shown.jkt)
	return nil
}

// checkJKT wants a thumbprint: nothing else could ever be redeemed.
func checkJKT(a authorization) *protocolError {
	if a.form.Has(paramJKT) && !isSHA256(a.form.Get(paramJKT)) {
		return badRequest(codeInvalidRequest, "The dpop_jkt is not a base64url SHA-256.")
	}
	return nil
}

// tokenType is what a client presents the access token as (RFC 9449 section 5).
func tokenType(jkt string) string {
	if jkt != "" {
		return schemeDPoP
	}
	return bearer
}
