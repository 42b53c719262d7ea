package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// confirmable are the fields that people see before a user is made of them.
var confirmable = [...]string{fieldLogin, fieldEmail, fieldGivenName, fieldFamilyName}

// DraftField is one field of a user to be.
type DraftField struct {
	Name  string // "login", "email", "given_name", "family_name"
	Value string // what the upstream tells
	Fixed bool   // the upstream's word stands
}

// Draft returns what the upstream tells of a user to be, for them to confirm. A fixed
// field that it does not tell is left out.
func (id Identity) Draft() []DraftField {
	told := id.onto(user.User{})
	var out []DraftField
	for _, name := range confirmable {
		f := DraftField{Name: name, Value: *field(&told, name), Fixed: !id.Upstream.leaves(name)}
		if !f.Fixed || f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// field returns where a confirmable field is kept.
func field(u *user.User, name string) *string {
	switch name {
	case fieldLogin:
		return &u.Login
	case fieldEmail:
		return &u.Email
	case fieldGivenName:
		return &u.GivenName
	default:
		return &u.FamilyName
	}
}

// leaves reports whether the field is the user's to write, at the first sign-in and
// for good. A name follows its parts.
func (u Upstream) leaves(name string) bool {
	if u.JIT != JITConfirm {
		return false
	}
	if name == fieldName {
		return slices.Contains(u.Editable, fieldGivenName) || slices.Contains(u.Editable, fieldFamilyName)
	}
	return slices.Contains(u.Editable, name)
}

// held is what is kept of an identity while its person looks at the form.
type held struct {
	Upstream string   `json:"upstream"`
	Issuer   string   `json:"issuer"`
	Subject  string   `json:"subject"`
	AMR      []string `json:"amr,omitempty"`
	IDToken  string   `json:"id_token,omitempty"`
	Claims   claims   `json:"claims,omitempty"`
}

// Held returns what [Service.Recall] makes the identity of again. It is personal, and
// whoever could write it would be anybody: seal it.
func (id Identity) Held() ([]byte, error) {
	h := held{Upstream: id.Upstream.Name, Issuer: id.Issuer, Subject: id.Subject, AMR: id.AMR, Claims: claims{}}
	keep := func(name string) {
		if value, ok := id.claims[name]; ok {
			h.Claims[name] = value
		}
	}
	if id.Upstream.Logout {
		h.IDToken = id.IDToken
	}
	keep(claimEmailVerified)
	for _, name := range id.Upstream.Claims {
		keep(name)
	}
	out, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("hold identity: %w", err)
	}
	return out, nil
}

// Recall returns the identity that was held. The upstream is as it is now. Errors:
// ErrNotFound if people may not sign in with it any more.
func (s *Service) Recall(ctx context.Context, kept []byte) (Identity, error) {
	var h held
	if err := json.Unmarshal(kept, &h); err != nil {
		return Identity{}, fmt.Errorf("recall identity: %w", err)
	}
	u, err := s.enabled(ctx, h.Upstream)
	if err != nil {
		return Identity{}, err
	}
	if u.Issuer != h.Issuer {
		return Identity{}, ErrNotFound // the name is another's now
	}
	return Identity{Upstream: u, Issuer: h.Issuer, Subject: h.Subject, AMR: h.AMR, IDToken: h.IDToken, claims: h.Claims}, nil
}

// Confirm is [Service.Resolve] for somebody who saw the draft and sent what was typed.
// What a fixed field was sent with is not looked at. Errors: those of Resolve, and
// user.Problems of fields that can be typed again.
func (s *Service) Confirm(ctx context.Context, id Identity, typed url.Values, home provisioning.ClientID) (user.User, error) {
	u, err := s.Resolve(ctx, id, home)
	if !errors.Is(err, ErrUnconfirmed) {
		return u, err // another tab was faster
	}
	fresh, err := s.edited(ctx, id, typed, home)
	if err != nil {
		return user.User{}, err
	}
	u, err = s.make(ctx, id, fresh)
	if err == nil && s.Verify != nil && u.Email != "" && !u.EmailVerified {
		err = s.Verify(ctx, u.ID, u.Locale)
	}
	return u, err
}

// edited returns the user as the upstream and the person tell. An e-mail address is
// verified only if it is the upstream's to the letter, and nobody else's.
func (s *Service) edited(ctx context.Context, id Identity, typed url.Values, home provisioning.ClientID) (user.User, error) {
	told := id.fresh(home)
	u := told
	for _, name := range confirmable {
		if id.Upstream.leaves(name) {
			*field(&u, name) = strings.TrimSpace(typed.Get(name))
		}
	}
	if u.GivenName != told.GivenName || u.FamilyName != told.FamilyName {
		u.Name = ""
	}
	u.EmailVerified = told.EmailVerified && u.Email == told.Email
	if !id.Upstream.leaves(fieldEmail) {
		return u, s.checkEmail(ctx, id, u.Email, "")
	}
	if u.EmailVerified { // as when registering, nothing tells whose else it is
		taken, err := s.Emails.EmailTaken(ctx, u.Email, "")
		if err != nil {
			return u, err
		}
		u.EmailVerified = !taken
	}
	return u, id.incomplete(u)
}

// incomplete is what registration would say of the fields, too.
func (id Identity) incomplete(u user.User) error {
	_, err := user.Check(u, "")
	wrong, _ := errors.AsType[user.Problems](err)
	if u.Email == "" {
		wrong = append(wrong, user.Problem{Field: fieldEmail, Code: user.CodeRequired, Text: "must be given"})
	}
	if len(wrong) == 0 {
		return nil
	}
	return id.asProblems(wrong)
}

// asProblems leaves to the person what they can mend.
func (id Identity) asProblems(err error) error {
	wrong, ok := errors.AsType[user.Problems](err)
	if !ok || slices.ContainsFunc(wrong, func(p user.Problem) bool { return !id.Upstream.leaves(p.Field) }) {
		return id.asProfile(err)
	}
	for i := range wrong { // nobody types the whole name
		if wrong[i].Field == fieldName {
			wrong[i].Field = fieldFamilyName
		}
	}
	return wrong
}

// unconfirmed asks the person, unless what they cannot change makes no user.
func (id Identity) unconfirmed(home provisioning.ClientID) error {
	_, err := user.Check(id.fresh(home), "")
	if err = id.asProblems(err); IsKind(err, KindProfile) {
		return err
	}
	return ErrUnconfirmed
}
