// Package mapping turns a user's profile into the attributes of an account: each
// attribute takes a profile field or a constant. It is pure.
//
// It owns the names of profile fields ("user.email", "claims.<name>") and the
// check of rules against the attributes a connector declares. It does not own
// profiles (package provisioning) or what a connector declares (package sdk).
//
// The starting point is [Compile].
package mapping
