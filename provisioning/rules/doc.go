// Package rules decides, of one user, one application and one target, whether
// the user is to have an account there.
//
// It owns the words of a decision ([Decision], [Status], [Obligation]), the
// combining algorithms that make one decision out of many ([Algorithm],
// [Combine]), the vocabulary that rules may ask about ([Request]), what a
// compiled rule set is to its users ([Evaluator], [Compiled]), how large a request
// may be ([TooLarge]), the account of why something was decided ([Explanation]),
// errors that point at a place in a source ([Error]), and the cache of compiled rule
// sets ([Cache]). A decision is never cached: rules may ask for the time.
//
// It does not own languages (its child packages do), where rule sets are kept,
// what follows from a decision (package provisioning), or the reading of users
// and applications. It does no I/O, and reads no clock.
//
// The semantics are those of XACML 3.0 (OASIS Standard, 22 January 2013),
// sections 7.10 to 7.18 and appendix C, for every language.
package rules
