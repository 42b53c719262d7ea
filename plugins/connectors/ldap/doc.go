// Package ldap is the connector for LDAP directories (RFC 4511) and Active
// Directory.
//
// It owns the connections, the translation between declared attributes and
// entries, and the meaning of result codes. It does not own the algorithm (the
// host decides when to look up, adopt, create or change) or passwords, which it
// never sees; in Active Directory it gives new accounts a random one that nobody
// knows, because they cannot be active without.
//
// # Names and ids
//
// An account is known by entryUUID, or objectGUID in Active Directory: names of
// entries change. The owner attribute is configured. A login or common name that
// is part of the entry's name is changed by ModifyDN, and groups that keep the
// name are told, where the directory does not do so by itself.
//
// # Values
//
// Of an attribute with several values the first is the account's; a change puts
// the new one in its place, and the others stay. To remove an attribute removes
// all.
//
// # Connections
//
// The library knows no contexts, so a connection serves one call at a time and
// is closed when the call's context ends. Idle ones are kept. TLS is demanded
// except on the loopback interface, and referrals are never followed: the
// password would go to a host that an answer names.
//
// # Effects
//
// A call without a connection, and one that was answered, has changed nothing,
// unless the answer is 80 (other). A write that was sent and not answered is
// outcome_unknown. A verb of several writes of which some were made is applied.
//
// The starting point is [Connector].
package ldap
