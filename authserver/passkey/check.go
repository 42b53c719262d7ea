package passkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Ask returns what a browser is to sign (PublicKeyCredentialRequestOptionsJSON, WebAuthn
// section 5.1.10). It names nobody and no key: who is there, the answer says. It counts
// once, for the same bound.
func (s *Service) Ask(ctx context.Context, bound string) ([]byte, error) {
	options, _, err := s.party.BeginDiscoverableLogin()
	if err != nil {
		return nil, fmt.Errorf("ask for passkey: %w", err)
	}
	return s.ask(ctx, protocol.AssertCeremony, bound, options.Response.Challenge, options.Response)
}

// Check returns what an answer proves. Whether its user may sign in, it does not know.
// Errors: ErrRefused, ErrCopied, *user.ThrottledError.
func (s *Service) Check(ctx context.Context, bound, address, answer string) (Proof, error) {
	if err := s.Limits.TakePasskey(ctx, address); err != nil {
		return Proof{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return Proof{}, refused("%s", told(err))
	}
	session, err := s.take(ctx, protocol.AssertCeremony, bound, parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return Proof{}, err
	}
	p, err := s.verify(ctx, session, parsed)
	if err != nil {
		return Proof{}, err
	}
	return Proof{User: p.User, Synced: p.Synced}, s.Limits.ForgivePasskey(ctx, address)
}

// verify returns the passkey that signed.
func (s *Service) verify(ctx context.Context, session webauthn.SessionData, answer *protocol.ParsedCredentialAssertionData) (Passkey, error) {
	p, err := s.Store.Get(ctx, answer.RawID)
	if errors.Is(err, ErrNone) {
		return Passkey{}, refused("passkey is unknown, or removed")
	}
	if err != nil {
		return Passkey{}, err
	}
	// The library compares the user handle with the owner.
	owner := person{Owner{ID: p.User}, []webauthn.Credential{credential(p)}}
	_, used, err := s.party.ValidatePasskeyLogin(func([]byte, []byte) (webauthn.User, error) { return owner, nil }, session, answer)
	if err != nil {
		return Passkey{}, refused("%s", told(err))
	}
	if !p.SuspectAt.IsZero() {
		return Passkey{}, ErrCopied
	}
	p.SignCount, p.BackedUp, p.UsedAt = answer.Response.AuthenticatorData.Counter, used.Flags.BackupState, s.Now()
	if err = s.Uses.Use(ctx, p); errors.Is(err, ErrCopied) {
		p.SuspectAt = s.Now()
		return Passkey{}, errors.Join(ErrCopied, s.Uses.Suspect(ctx, p))
	}
	return p, err
}

// person is an owner as the library wants them. Their handle, which authenticators
// keep, is the user's id: random, and the same for ever.
type person struct {
	owner       Owner
	credentials []webauthn.Credential
}

// person returns the owner with their passkeys.
func (s *Service) person(ctx context.Context, o Owner) (person, error) {
	all, err := s.Store.Of(ctx, o.ID)
	out := person{owner: o}
	for _, p := range all {
		out.credentials = append(out.credentials, credential(p))
	}
	return out, err
}

func credential(p Passkey) webauthn.Credential {
	c := webauthn.Credential{
		ID: p.ID, PublicKey: p.PublicKey, Authenticator: webauthn.Authenticator{SignCount: p.SignCount},
		Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: p.Synced, BackupState: p.BackedUp},
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// WebAuthnID implements webauthn.User.
func (p person) WebAuthnID() []byte { return []byte(p.owner.ID) }

// WebAuthnName implements webauthn.User.
func (p person) WebAuthnName() string { return p.owner.Login }

// WebAuthnDisplayName implements webauthn.User.
func (p person) WebAuthnDisplayName() string {
	if p.owner.Name != "" {
		return p.owner.Name
	}
	return p.owner.Login
}

// WebAuthnCredentials implements webauthn.User.
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }
