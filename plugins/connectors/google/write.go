package google

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	directory "google.golang.org/api/admin/directory/v1"

	"github.com/anteroom-id/anteroom/sdk"
)

// invited is when to look whether somebody who was invited has accepted.
const invited = 15 * time.Minute

// Create makes a new account with a random password that nobody knows. All is in
// the one request, because changes right after it might fail.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	c, err := t.newChange(req.Attributes, nil)
	if err != nil {
		return sdk.Account{}, err
	}
	u := t.body(c, nil)
	if err := complete(u); err != nil {
		return sdk.Account{}, err
	}
	u.Password, u.ChangePasswordAtNextLogin, u.Suspended = newPassword(), t.cfg.ChangePassword, !req.Active
	earlier := t.recent.has(u.PrimaryEmail)
	t.recent.add(u.PrimaryEmail)
	var made *directory.User
	f, err := t.do(ctx, call{writes: true, values: append(c.values(), u.Password)}, func(ctx context.Context) (err error) {
		insert := t.service.Users.Insert(u)
		if t.cfg.Unmanaged == unmanagedResolve {
			insert.ResolveConflictAccount(true)
		}
		made, err = insert.Context(ctx).Do()
		return err
	})
	switch {
	case f != nil && f.status.Load() == http.StatusAccepted:
		return sdk.Account{}, sdk.Pending(invited, "You have a personal Google account with this address. Google has sent you an invitation to bring it into the organisation: accept it.")
	case hasStatus(err, http.StatusConflict):
		return sdk.Account{}, t.taken(ctx, u.PrimaryEmail, earlier, err)
	case err != nil:
		return sdk.Account{}, t.notMade(u.PrimaryEmail, earlier, err)
	case made.Id == "":
		return sdk.Account{}, &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Message: "Google accepted the account without telling its id"}
	}
	t.recent.add(made.Id)
	return t.account(made), nil
}

// complete names the first attribute a new account lacks.
func complete(u *directory.User) error {
	for _, name := range []string{attrPrimaryEmail, attrGivenName, attrFamilyName} {
		if field := fieldOf(u, name); field == nil || *field == "" {
			return sdk.Invalid(name, "is required by Google for a new account")
		}
	}
	return nil
}

// newPassword is longer than any policy asks for, and in all its classes.
func newPassword() string {
	random := make([]byte, 30)
	_, _ = rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random) + "-aA1"
}

// notMade is a failure to create for another reason than a taken address.
func (t *Target) notMade(email string, earlier bool, err error) error {
	e := *sdk.AsError(err)
	if e.Effect == sdk.EffectNone && !earlier {
		t.recent.forget(email)
	}
	// There is no account to be missing: it is the domain, or another value.
	if e.Kind == sdk.KindNotFound {
		e.Kind, e.Field = sdk.KindInvalid, fieldIn(e.Message)
	}
	return &e
}

// taken finds out who has the address that a new account was to have.
func (t *Target) taken(ctx context.Context, email string, earlier bool, conflict error) error {
	e := *sdk.AsError(conflict)
	if e.Kind != sdk.KindConflict {
		return &e
	}
	if !earlier {
		t.recent.forget(email)
	}
	e.Field = attrPrimaryEmail
	u, err := t.user(ctx, email)
	switch {
	case err == nil && !strings.EqualFold(u.PrimaryEmail, email):
		e.Message = "the address is an alias of another account: remove the alias, or give the person another address"
	case err == nil && u.Suspended:
		e.Message = "an account with this address exists and is suspended"
	case err == nil:
		e.Message = "an account with this address exists"
	case !notThere(err):
		e.Message = "the address is taken; who has it cannot be told: " + sdk.AsError(err).Message
	case t.isGroup(ctx, email):
		e.Field, e.Message = attrPrimaryEmail, "the address is that of a group"
	case earlier:
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Err: conflict,
			Message: "the account was asked for moments ago and cannot be seen yet; Google needs time"}
	default:
		e.Message = "the address is held by an account that the directory does not show: a personal Google account (unmanaged), " +
			"an account deleted less than 20 days ago, or one of another customer; see unmanaged_accounts"
	}
	return &e
}

// isGroup reports whether a group has the address, as far as may be asked.
func (t *Target) isGroup(ctx context.Context, email string) bool {
	if len(t.cfg.Groups) == 0 { // the scope is not asked for
		return false
	}
	return t.readGroup(ctx, email) == nil
}

// Update changes the attributes named in req, and no others. It reads first: lists
// are only written whole, and what is as wanted is not written.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	c, err := t.newChange(req.Set, req.Clear)
	if err != nil {
		return sdk.Account{}, err
	}
	current, err := t.byID(ctx, req.ID)
	if err != nil {
		return sdk.Account{}, err
	}
	u := t.body(c, current)
	if c.empty() || u == nil {
		return t.account(current), nil
	}
	account, err := t.update(ctx, req.ID, u, c.values())
	if !hasStatus(err, http.StatusConflict) {
		return account, err
	}
	return t.conflicting(ctx, req.ID, c, err)
}

// conflicting finds out whether a change that was answered with 409 was made all
// the same, which Google does after a rename.
func (t *Target) conflicting(ctx context.Context, id string, c change, conflict error) (sdk.Account, error) {
	after, err := t.byID(ctx, id)
	switch {
	case err != nil:
		return sdk.Account{}, &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Err: conflict,
			Message: "Google answered 409, and whether the change was made cannot be read"}
	case t.body(c, after) == nil:
		return t.account(after), nil
	}
	e := *sdk.AsError(conflict)
	if e.Kind == sdk.KindConflict {
		e.Field = attrPrimaryEmail
	}
	return sdk.Account{}, &e
}

func (t *Target) update(ctx context.Context, id string, u *directory.User, values []string) (sdk.Account, error) {
	var after *directory.User
	_, err := t.do(ctx, call{writes: true, account: id, values: append(values, id)}, func(ctx context.Context) (err error) {
		after, err = t.service.Users.Update(id, u).Context(ctx).Do()
		return err
	})
	switch {
	case err != nil:
		return sdk.Account{}, err
	case after.Id != id: // the write stands, whatever the answer looks like
		return sdk.Account{ID: id}, nil
	}
	return t.account(after), nil
}

// SetActive suspends an account or brings it back.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	if err := checkID(req.ID); err != nil {
		return sdk.Account{}, err
	}
	u := &directory.User{Suspended: !req.Active, ForceSendFields: []string{"Suspended"}}
	return t.update(ctx, req.ID, u, nil)
}

// Delete removes an account; one that is not there is a success. Google lets an
// admin restore it for 20 days, and holds its address for as long.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	if checkID(req.ID) != nil {
		return nil
	}
	_, err := t.do(ctx, call{writes: true, account: req.ID, values: []string{req.ID}}, func(ctx context.Context) error {
		return t.service.Users.Delete(req.ID).Context(ctx).Do()
	})
	if err == nil || notThere(err) {
		t.recent.forget(req.ID)
		return nil
	}
	return err
}
