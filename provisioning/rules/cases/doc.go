// Package cases reads and runs test cases of rule sets: files that say of users what
// is to be decided about them.
//
// It owns the form of such a file ([Parse] says what is wrong with one, with line and
// column), how a rule set is named in one ([Reference]), and whether a case passed
// ([File.Run]). docs/rules-testing.md describes the form to those who write them.
//
// It does not own rule sets or their languages: whoever runs a file reads and compiles
// what it names. It does no I/O, and reads no clock.
package cases
