// Package e2e owns the tests above all packages: the import rules, scripts with
// real processes, real OIDC clients, real SCIM servers and a real browser. It
// holds no product code.
package e2e
