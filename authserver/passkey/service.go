package passkey

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Options is what a Service is made of.
type Options struct {
	Party      Party
	Store      Store
	Uses       Uses
	Challenges Challenges
	Limits     Limits
	Tx         Tx
	Now        func() time.Time
}

// Service adds passkeys and checks what browsers answer.
type Service struct {
	Options
	party *webauthn.WebAuthn
}

// New returns a service. It demands of every key that it can be found without a login,
// and of every use that the authenticator verified its user; it does not ask which
// authenticator that is.
func New(o Options) (*Service, error) {
	required := true
	party, err := webauthn.New(&webauthn.Config{
		RPID: o.Party.ID, RPDisplayName: o.Party.ID, RPOrigins: []string{o.Party.Origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// Extensions that nobody asked for are no reason to refuse anybody: browsers and
		// password managers add theirs.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("set up passkeys: %w", err)
	}
	return &Service{Options: o, party: party}, nil
}

// Invite returns what the owner's browser is to make a passkey with
// (PublicKeyCredentialCreationOptionsJSON, WebAuthn section 5.1.9). The answer counts
// once, for the same bound.
func (s *Service) Invite(ctx context.Context, o Owner, bound string) ([]byte, error) {
	person, err := s.person(ctx, o)
	if err != nil {
		return nil, err
	}
	options, _, err := s.party.BeginRegistration(person, webauthn.WithExclusions(webauthn.Credentials(person.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, fmt.Errorf("invite passkey: %w", err)
	}
	return s.ask(ctx, protocol.CreateCeremony, bound, options.Response.Challenge, options.Response)
}

// Add adds the passkey that the owner's browser made. Errors: ErrRefused, ErrTaken,
// ErrMany, *NameError.
func (s *Service) Add(ctx context.Context, o Owner, bound, name, answer string) error {
	name, err := cleanName(name)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return refused("%s", told(err))
	}
	session, err := s.take(ctx, protocol.CreateCeremony, bound, parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return err
	}
	session.UserID, session.CredParams = []byte(o.ID), webauthn.CredentialParametersDefault()
	made, err := s.party.CreateCredential(person{owner: o}, session, parsed)
	if err != nil {
		return refused("%s", told(err))
	}
	p := Passkey{
		ID: made.ID, User: o.ID, Name: name, PublicKey: made.PublicKey, SignCount: made.Authenticator.SignCount,
		Synced: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState, CreatedAt: s.Now(),
	}
	for _, t := range made.Transport {
		p.Transports = append(p.Transports, string(t))
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		all, err := s.Store.Of(ctx, o.ID)
		if err != nil {
			return err
		}
		if len(all) >= maxPasskeys {
			return ErrMany
		}
		return s.Store.Add(ctx, p)
	})
}

// Of returns the user's passkeys, the oldest first.
func (s *Service) Of(ctx context.Context, user provisioning.UserID) ([]Passkey, error) {
	return s.Store.Of(ctx, user)
}

// Rename gives one of the user's passkeys another name. Errors: ErrNone, *NameError.
func (s *Service) Rename(ctx context.Context, user provisioning.UserID, id []byte, name string) error {
	name, err := cleanName(name)
	if err != nil {
		return err
	}
	return s.Store.Rename(ctx, user, id, name)
}

// Remove removes one of the user's passkeys, or returns ErrNone.
func (s *Service) Remove(ctx context.Context, user provisioning.UserID, id []byte) error {
	return s.Store.Remove(ctx, user, id)
}

// cleanName returns what is kept of a name, or *NameError.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", &NameError{"empty"}
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return "", &NameError{"characters"}
	case utf8.RuneCountInString(name) > maxName:
		return "", &NameError{"long"}
	default:
		return name, nil
	}
}

// ask stores a challenge and returns the options that hold it.
func (s *Service) ask(ctx context.Context, ceremony protocol.CeremonyType, bound string, challenge protocol.URLEncodedBase64, options any) ([]byte, error) {
	if err := s.Challenges.Put(ctx, bound, hashOf(ceremony, challenge.String()), s.Now().Add(lifetime)); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// take uses up the challenge of an answer and returns what the answer is held against.
// It comes before everything else: whatever is wrong with an answer, there is no second
// try with its challenge.
func (s *Service) take(ctx context.Context, ceremony protocol.CeremonyType, bound, challenge string) (webauthn.SessionData, error) {
	if err := s.Challenges.Take(ctx, bound, hashOf(ceremony, challenge), s.Now()); errors.Is(err, ErrRefused) {
		return webauthn.SessionData{}, refused("challenge is unknown here, used or old")
	} else if err != nil {
		return webauthn.SessionData{}, err
	}
	return webauthn.SessionData{Challenge: challenge, UserVerification: protocol.VerificationRequired}, nil
}

// hashOf keeps the challenges of an invitation and of a sign-in apart.
func hashOf(ceremony protocol.CeremonyType, challenge string) []byte {
	sum := sha256.Sum256([]byte(string(ceremony) + ":" + challenge))
	return sum[:]
}

// told is what the library says of an answer.
func told(err error) string {
	if detailed, ok := errors.AsType[*protocol.Error](err); ok && detailed.DevInfo != "" {
		return detailed.Details + ": " + detailed.DevInfo
	}
	return err.Error()
}
