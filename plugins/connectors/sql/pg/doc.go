// Package pg is what the connectors for PostgreSQL share: where the server is and
// how it is trusted, one transaction for each verb, and what a failure means for
// the host.
//
// It owns the connection pool, the rule that a statement ends before the call's
// deadline does, the table from SQLSTATE to kinds, and the steps of a check up to
// the credentials. It does not own statements.
//
// Every verb is one transaction, so that its effect is certain: whatever fails
// before COMMIT was sent has changed nothing. Only an unanswered COMMIT leaves the
// outcome unknown.
package pg
