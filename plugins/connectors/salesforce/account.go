package salesforce

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// maxKey bounds what is looked up, in bytes: no key field of User is as long.
const maxKey = 1024

// columns are the fields of User that are read.
func (c *client) columns() string {
	names := []string{"Id", fieldActive}
	for _, a := range attributes() {
		names = append(names, a.Name)
	}
	if c.owner.external != "" {
		names = append(names, c.owner.external)
	}
	return strings.Join(names, ",")
}

// account is the record as the host sees it.
func (c *client) account(r record) (sdk.Account, error) {
	a := sdk.Account{ID: idOf(r.text("Id")), Attributes: sdk.Attributes{}}
	if a.ID == "" {
		return a, unusable("the org returned a user without an id")
	}
	for _, declared := range attributes() {
		switch value, read := r[declared.Name]; value.(type) {
		case string, nil:
			if read {
				a.Attributes[declared.Name] = value
			}
		}
	}
	c.owner.read(r, a.Attributes)
	if active, ok := r[fieldActive].(bool); ok {
		a.Active = &active
	}
	return a, nil
}

// Lookup returns the accounts that have the key's value, by SOQL. The org
// compares without regard to case.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	switch {
	case req.Key != fieldFederation && req.Key != fieldUsername:
		return nil, sdk.Invalid(req.Key, "is not a key")
	case req.Value == "" || len(req.Value) > maxKey || !utf8.ValidString(req.Value) || strings.ContainsFunc(req.Value, unicode.IsControl):
		return nil, sdk.Invalid(req.Key, "must be text without control characters, of at most 1024 bytes")
	}
	where := req.Key + " = " + quote(req.Value)
	if req.Key == fieldFederation {
		where = t.client.owner.equals(req.Value)
	}
	records, err := t.client.query("SELECT "+t.client.columns()+" FROM User WHERE "+where, 0, req.Value).all(ctx)
	if err != nil {
		return nil, err
	}
	accounts := make([]sdk.Account, len(records))
	for i, r := range records {
		if accounts[i], err = t.client.account(r); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	if err := checkID(req.ID); err != nil {
		return sdk.Account{}, err
	}
	path := t.client.user(req.ID) + "?" + url.Values{"fields": {t.client.columns()}}.Encode()
	resp, err := t.client.do(ctx, call{method: http.MethodGet, path: path})
	if err != nil {
		return sdk.Account{}, err
	}
	var r record
	if err := resp.Decode(&r); err != nil {
		return sdk.Account{}, err
	}
	a, err := t.client.account(r)
	if err == nil && a.ID != idOf(req.ID) {
		return sdk.Account{}, unusable("the org returned another user than was asked for")
	}
	return a, err
}

// Create makes a new account. With an external id field that is an upsert: then
// there is one account whatever happened to the same create before, and one that
// was there is a conflict, which the host finds out to be its own. Only the id
// comes back, because reading the rest would cost another request of the org's
// daily allowance.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	r, err := newRecord(req.Attributes, nil)
	if err != nil {
		return sdk.Account{}, err
	}
	for _, name := range []string{fieldUsername, fieldLastName, fieldEmail} {
		if r.text(name) == "" {
			return sdk.Account{}, sdk.Invalid(name, "is required")
		}
	}
	values := r.values() // the rest is the configuration's
	if r.text(fieldProfile) == "" {
		if r[fieldProfile], err = t.profileID(ctx); err != nil {
			return sdk.Account{}, err
		}
	}
	derived := r.complete(t.cfg)
	r[fieldActive] = req.Active
	account, err := t.insert(ctx, r, values)
	if derived && hasCode(err, "DUPLICATE_COMM_NICKNAME") {
		r[fieldNickname] = otherNickname(r.text(fieldNickname), r.text(fieldUsername))
		account, err = t.insert(ctx, r, values)
	}
	return account, t.aboutProfile(err, req.Attributes.String(fieldProfile) != "")
}

// insert sends a new record once.
func (t *Target) insert(ctx context.Context, r record, values []string) (sdk.Account, error) {
	owner := r.text(fieldFederation)
	cl := call{method: http.MethodPost, path: t.client.root + "/sobjects/User", body: r, values: values}
	if t.client.owner.external != "" && owner != "" { // its value is in the address, and must not be in the body
		cl.method, cl.path = http.MethodPatch, t.client.user(t.client.owner.external)+"/"+url.PathEscape(owner)
		cl.body = t.client.owner.withoutFederation(r)
	}
	resp, err := t.client.do(ctx, cl)
	switch {
	case sdk.KindOf(err) == sdk.KindNotFound && cl.method == http.MethodPatch:
		e := sdk.Invalid("external_id_field", "the org has no such external id field of User, or it may not be seen")
		e.Err = err
		return sdk.Account{}, e
	case err != nil:
		return sdk.Account{}, noService(err)
	}
	id := writtenID(resp)
	upsert := cl.method == http.MethodPatch
	switch {
	case upsert && (resp.Status == http.StatusNoContent || resp.Status == http.StatusOK && id != ""):
		e := sdk.Conflict("an account with this external id was there and has been changed")
		e.Effect, e.Field = sdk.EffectApplied, fieldFederation
		return sdk.Account{}, e
	case id == "":
		return sdk.Account{}, &sdk.Error{
			Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown,
			Message: "the org accepted the account without telling its id",
		}
	}
	return sdk.Account{ID: id}, nil
}

// writtenID is the id in the answer to a create or upsert, "" if there is none.
func writtenID(resp *sdkhttp.Response) string {
	var answer struct {
		ID      string `json:"id"`
		Success bool   `json:"success"`
	}
	if resp.Status == http.StatusNoContent || resp.Decode(&answer) != nil || !answer.Success {
		return ""
	}
	return idOf(answer.ID)
}

// Update changes the attributes named in req, and no others. Removing what no
// account can be without goes back to what the configuration says.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	r, err := newRecord(req.Set, req.Clear)
	if err != nil {
		return sdk.Account{}, err
	}
	if len(r) == 0 {
		return t.Get(ctx, sdk.GetRequest{ID: req.ID})
	}
	values := r.values()
	for name, value := range t.cfg.defaults() {
		if given, named := r[name]; named && given == nil {
			r[name] = value
		}
	}
	if profile, named := r[fieldProfile]; named && profile == nil {
		if r[fieldProfile], err = t.profileID(ctx); err != nil {
			return sdk.Account{}, err
		}
	}
	account, err := t.change(ctx, req.ID, t.client.owner.write(r), values)
	return account, t.aboutProfile(err, req.Set.String(fieldProfile) != "")
}

// SetActive suspends or reactivates an account. Reactivating takes a licence.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return t.change(ctx, req.ID, record{fieldActive: req.Active}, nil)
}

func (t *Target) change(ctx context.Context, id string, r record, values []string) (sdk.Account, error) {
	if err := checkID(id); err != nil {
		return sdk.Account{}, err
	}
	if _, err := t.client.do(ctx, call{method: http.MethodPatch, path: t.client.user(id), body: r, values: values}); err != nil {
		return sdk.Account{}, err
	}
	return sdk.Account{ID: id}, nil
}
