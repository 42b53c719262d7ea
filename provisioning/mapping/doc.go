// Package mapping turns a user's profile into the attributes of an account: each
// attribute takes a profile field, a constant, or what a CEL expression makes of the
// profile; or it gets a value when the account is made, and keeps it. It is pure.
//
// It owns the names of profile fields ("user.email", "claims.<name>"), the kinds of
// rules with the keys they may have, and the check of rules against the attributes a
// connector declares. Of a unique value it owns the candidates ([Mapping.Candidates]);
// that no other account has it is for the engine to see to. It does not own profiles
// (package provisioning), the language of expressions (package expression) or what a
// connector declares (package sdk).
//
// The starting point is [Compile].
package mapping
