// Package google is the connector for Google Workspace, over the Directory API of
// the Admin SDK and Google's own client for it.
//
// It owns the configuration, the tokens of the service account, the translation
// between declared attributes and user resources, membership in the groups that
// the configuration names, and the meaning of what Google answers. It does not
// own the algorithm (the host decides when to look up, adopt, create or change)
// and no passwords: a new account gets a random one that is kept nowhere, and no
// later call touches it.
//
// # Credentials
//
// A service account acts as an administrator by domain-wide delegation: it signs
// an assertion, which the token endpoint exchanges for a token (RFC 7523). It
// signs with its key, or, without one, lets Google sign for a workload whose own
// token was exchanged (workload identity federation). One token serves all calls
// until a minute before its end, or until it is refused.
//
// # Identity
//
// The id is Google's immutable number. Whose an account is stands in the entry of
// externalIds with the type "custom" and the configured custom type. Entries of
// other types, and all else this package does not know, stay as they are.
//
// # Time
//
// Google's servers learn of a new account one after the other. That an account
// made within the last minutes by this process is missing, or may not be changed,
// is therefore transient; everything is in the one request that makes an account,
// and nothing waits for it to be seen.
//
// # Effects
//
// A request that got no connection has changed nothing. A write that was sent and
// not answered is outcome_unknown. A write answered with a 5xx other than 501 and
// 503 failed with an unknown effect.
//
// The starting point is [Connector].
package google
