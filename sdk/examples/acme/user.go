package main

import "github.com/anteroom-id/anteroom/sdk"

// user is a user as the API has it. A nil text is one that is not set.
type user struct {
	ID         string  `json:"id"`
	ExternalID *string `json:"external_id"`
	Login      *string `json:"login"`
	Email      *string `json:"email"`
	Name       *string `json:"name"`
	Active     *bool   `json:"active"`
}

// account is the user as Anteroom sees it. An attribute that was not read must be
// absent; nil says that it has no value.
func (u user) account() sdk.Account {
	return sdk.Account{ID: u.ID, Active: u.Active, Attributes: sdk.Attributes{
		attrExternalID: u.ExternalID, attrLogin: u.Login, attrEmail: u.Email, attrName: u.Name,
	}}
}
