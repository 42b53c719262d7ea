// Package webhook is the connector for systems that have no account API of their
// own kind: one HTTPS endpoint, written by or for the admin, gets one signed JSON
// event per verb and answers with the account.
//
// It owns the events, their signature after Standard Webhooks, the meaning of the
// answers and the guard against addresses inside the network. It does not own the
// algorithm (the host decides when to look up, adopt, create or change), nor
// groups or lists.
//
// # Events
//
// Every event is a POST of
//
//	{"type": "account.create", "timestamp": "2026-01-02T03:04:05Z",
//	 "operation": {"id": "…", "attempt": 1, "dialog": true}, "data": {…}}
//
// without "operation" where nothing is written. The types and their data are
//
//	account.lookup      {"key", "value"}
//	account.get         {"id"}
//	account.create      {"attributes", "active"}
//	account.update      {"id", "version", "set", "clear"}
//	account.set_active  {"id", "active"}
//	account.delete      {"id"}
//	ping                {}
//
// The header webhook-id is the idempotency key. Of a write it is the type and the
// operation's id, the same on every retry of the same intent: an endpoint that
// has done it answers as it did then, as long as the account exists. The headers
// webhook-timestamp and webhook-signature are those of Standard Webhooks, with
// one v1 signature for each secret.
//
// # Answers
//
// An account is {"id", "attributes", "active", "version"}; all but the id may be
// absent. Of attributes, null is "no value", and what is left out was not told.
// account.create, account.get, account.update and account.set_active are
// answered with it, the last two also with nothing; account.lookup with
// {"accounts": […]}, which is empty for nobody. Any other status than 2xx is the
// failure that [sdk.FromHTTP] says, but 404 is "no such account" only where the
// event names one, and 410 says that the endpoint is retired. 202 says that a
// write is accepted and not done yet ([sdk.Pending]): {"poll_after": seconds,
// "message": "…"}, or Retry-After. The next account.lookup or account.get shows
// what became of it; 403 there says that it was turned down.
//
// # Addresses
//
// The address that is dialled, after name resolution, must be a public one, or
// among allow_addresses. An endpoint that is written as this machine may be on
// it. A name cannot lead elsewhere later, since every connection is judged.
// Redirects are refused, and no proxy is used, since it would dial in our place.
//
// The starting point is [Connector].
package webhook
