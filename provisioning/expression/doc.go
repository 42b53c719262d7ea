// Package expression is what every CEL expression of an admin has in common,
// whether it is the condition of a rule or the value of an attribute: the language
// ([New]), its functions on text, its limits, and the words in which it says what is
// wrong.
//
// It does not own what an expression sees: rules and mappings declare their own
// variables, and check their own result types. There is no clock, no chance and no
// look-up: the same person gets the same answer.
//
// Besides the standard operators and macros there are the string, set, list and
// optional functions of cel-go, and
//
//	s.lower(), s.upper()        letters of every script
//	s.left(n), s.right(n)       at most n characters
//	s.normalise()               é → e, ü → u, ß → ss, Ł → L: ASCII where a letter has a base
//	s.normalise("de")           the same, with ä → ae, ö → oe, ü → ue
//	s.slug()                    what a login may have: a-z 0-9 . _ -
package expression
