package webhook

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// maxID bounds an account's id, in bytes: the ledger keeps it.
const maxID = 512

// account is an account as an endpoint tells it.
type account struct {
	ID         string                     `json:"id"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Active     *bool                      `json:"active"`
	Version    string                     `json:"version"`
}

var errNoID = errors.New("an account without an id, or with one that is too long")

func (a account) declared() (sdk.Account, error) {
	if a.ID == "" || len(a.ID) > maxID {
		return sdk.Account{}, errNoID
	}
	attributes, err := known(a.Attributes)
	return sdk.Account{ID: a.ID, Attributes: attributes, Active: a.Active, Version: a.Version}, err
}

// accountIn reads the account in an answer. Where id is given, the answer must be
// about it, and may be empty if wrote.
func accountIn(resp *sdkhttp.Response, id string, wrote bool) (sdk.Account, error) {
	if wrote && id != "" && len(bytes.TrimSpace(resp.Body)) == 0 {
		return sdk.Account{ID: id}, nil
	}
	var said account
	if err := resp.Decode(&said); err != nil {
		return sdk.Account{}, err
	}
	if said.ID == "" && wrote { // "" for a create, which must tell it
		said.ID = id
	}
	a, err := said.declared()
	if err != nil || id != "" && a.ID != id {
		return sdk.Account{}, undeclared(wrote, err)
	}
	return a, nil
}

// accountsIn reads the answer to a lookup. Nothing is no answer: "cannot tell" is
// not "not there".
func accountsIn(resp *sdkhttp.Response) ([]sdk.Account, error) {
	var said struct {
		Accounts *[]account `json:"accounts"`
	}
	if err := resp.Decode(&said); err != nil {
		return nil, err
	}
	if said.Accounts == nil {
		return nil, undeclared(false, nil)
	}
	found := make([]sdk.Account, 0, len(*said.Accounts))
	for _, one := range *said.Accounts {
		a, err := one.declared()
		if err != nil {
			return nil, undeclared(false, err)
		}
		found = append(found, a)
	}
	return found, nil
}

// undeclared is an answer that does not keep to the declared form. Of a write it
// leaves open what was done.
func undeclared(wrote bool, cause error) error {
	e := &sdk.Error{
		Kind: sdk.KindTransient, Effect: sdk.EffectNone, Err: cause,
		Message: "the endpoint's answer is not the one that is declared for this event",
	}
	if wrote {
		e.Kind, e.Effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
	}
	return e
}
