// Package op owns the OpenID Connect and OAuth 2.0 protocol: discovery, the
// authorize, token and userinfo endpoints, client authentication, and what a
// grant, code and token is. It is the only importer of fosite.
//
// It does not own the sign-in between an authorization request and its answer
// (package flow), applications (package application), keys (package keys), SQL
// (package store) or the decision whether a user may go on (package
// provisioning).
//
// No path mints without that decision. The endpoints ask the gate before they
// let fosite answer; the strategies that make codes and tokens refuse without a
// permit for exactly this application and subject (see chokePoint); every row
// carries the decision it rests on.
package op
