// Package fake is a stand-in for a Salesforce org, in memory: the token endpoint,
// the REST API for sObjects as far as users, profiles, permission sets and public
// groups go, a subset of SOQL, the description of User, and the daily limit.
//
// It shows what the connector believes of an org. So that the belief is not the
// connector's alone, the tests drive it with a foreign client as well and compare
// its fields with that client's types. It is for tests: it runs wherever a test
// serves it, and trusts X-Forwarded-Host.
//
// The starting point is [New].
package fake
