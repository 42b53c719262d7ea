// Package roles is the connector for people who sign in to PostgreSQL itself: an
// account is a login role.
//
// It owns the statements that make and change roles, with every name quoted, and
// the comment in which an account's owner is kept. It does not own passwords: how
// a role authenticates is the business of the server's pg_hba.conf.
//
// The id is the role's oid, which a rename keeps. The comment on a role is
//
//	anteroom:USER-ID
//	NAME
//
// so that administrators of the database see whose it is. A comment without such
// a first line is a NAME whose owner is not known.
//
// Not every role is an account. Lookup and List leave out what must not be taken
// over: the role we sign in as, roles with privileges (superuser, createrole,
// createdb, replication, bypassrls), roles of the system, the groups, and roles that cannot
// log in unless the comment says that they are ours. They keep their names, so a
// user of such a name is a conflict.
//
// Groups are roles too. Only those that the configuration names are granted and
// revoked.
//
// The starting point is [Connector].
package roles
