// Package language compiles rule sets, whichever language they are written in.
//
// It owns the choice of a language and what a rule set of XACML has beside its
// documents: a default decision and a time zone. It does not own the languages
// (packages cel and xacml), what a decision is (package rules), or where rule
// sets are kept.
//
// The starting point is [Compile].
package language
