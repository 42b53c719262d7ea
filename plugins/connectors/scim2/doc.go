// Package scim2 is the connector for systems that take accounts over SCIM 2.0
// (RFC 7643, RFC 7644).
//
// It owns the HTTP client, the translation between declared attributes and SCIM
// user resources, membership in groups, and the meaning of what servers answer. It
// does not own the algorithm (the host decides when to look up, adopt, create or
// change), the groups themselves, bulk operations, or passwords, which it never
// sees.
//
// # Attributes
//
// An attribute is named like its SCIM path: externalId, userName,
// name.givenName, name.familyName, name.formatted, displayName, title, locale.
// Two are single values of multi-valued SCIM attributes: email is the value of
// the entry of emails with type "work", phone that of phoneNumbers. A server
// that drops types is read leniently: where no entry has a type, the primary or
// first one is it. Entries of other types belong to somebody else and stay as
// they are. An attribute that a resource does not have is empty, except externalId:
// a server that does not keep it says nothing of whose an account is.
//
// # Credentials
//
// Basic, bearer, a key in a header of its own, or a token by the OAuth client
// credentials grant: one for all calls, fetched by one of them, renewed a minute
// before its end and once when it is refused. Without credentials only a server
// on this machine is used.
//
// # Dialects
//
// What a server does otherwise than RFC 7644 is a line of the table in dialect.go.
// The standard's own description of a server is read member by member, and what it
// does not say is tried.
//
// # Lookup
//
// Keys are externalId (compared exactly) and userName (compared without regard to
// case). What the server returns is checked here, because servers ignore filters
// they do not understand. When a server says that it cannot filter by a key
// (scimType invalidFilter, 501) the error is unsupported, never an empty result:
// "cannot tell" is not "not there". The host may then go on with the next key.
//
// # Update
//
// Changes are sent as one PATCH with one operation per attribute. A server
// without PATCH (501, 405, or 400 saying so) gets the whole resource by PUT
// instead: it is read first, so that what this package does not know survives, and
// carries the version it had. The setting "update" fixes one way.
//
// # Groups
//
// Groups go by displayName and are never made here. What an account is in is asked
// by a filter where the dialect has one, else read from the user, else from all
// groups; then only what differs is sent.
//
// # Effects
//
// A request that got no connection has changed nothing. A write that was sent
// and not answered is outcome_unknown. A write answered with 408 or a 5xx other
// than 501 failed with an unknown effect.
//
// # SCIM 1.1
//
// Servers that speak SCIM 1.1 only have a connector of their own on the same core,
// [OldConnector]: one schema, PUT for users, another PATCH for groups and another
// form of errors.
//
// The starting point is [Connector].
package scim2
