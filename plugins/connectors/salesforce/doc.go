// Package salesforce is the connector for Salesforce orgs: their users, by the
// REST API for sObjects.
//
// It owns the session with the org, the translation between declared attributes
// and rows of User, and the meaning of what an org answers. It does not own the
// algorithm (the host decides when to look up, adopt, create or change) or
// passwords, which it never sees. An org has no way to delete a user, so there is
// none here.
//
// # Session
//
// OAuth 2.0 by JWT bearer assertion (RFC 7523, RS256) or client credentials. A
// target has one access token, which everybody who needs one while it is fetched
// waits for. It goes to the instance_url that came with it. When the org says
// that it has ended (401 with INVALID_SESSION_ID) it is renewed, once a call.
//
// # Attributes
//
// An attribute is named like the field of User: FederationIdentifier, Username,
// LastName. Ids are given in the form of 18 characters. A new account gets what
// Salesforce demands and the mapping does not give: the profile and locale keys
// of the configuration, an Alias of the name, a CommunityNickname of the
// Username, with a suffix if that is taken.
//
// # Whose account it is
//
// FederationIdentifier holds Anteroom's id of the user. With the setting
// external_id_field a custom field holds it as well; then that one counts where it
// has a value, and a create is an upsert by it, which makes one account however
// often it is sent. FederationIdentifier can then be left to single sign-on.
//
// # Groups
//
// The groups are the permission sets and public groups that the configuration
// names. Others are left alone.
//
// # Failures
//
// Every errorCode has its kind in one table; an unknown one counts as its HTTP
// status. Licences and daily requests that are used up are [sdk.KindQuota]; how
// many requests are used is read off every answer (Sforce-Limit-Info). A write
// answered with an errorCode of the table changed nothing. One that was sent and
// not answered is outcome_unknown.
//
// The starting point is [Connector].
package salesforce
