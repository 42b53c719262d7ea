// Package template makes rule sets out of forms.
//
// It owns the templates ([All]): WSO2's five for provisioning, under their names
// and in our words, and seven of ours; their parameters, with what a form needs to
// ask for them; and the text they become in CEL and in XACML ([Template.Render]).
// Both texts come from one condition, so that they decide alike.
//
// It does not own the languages, which read the text as they read any other, or
// where rule sets are kept. The application and the target that WSO2's templates
// name are not parameters here: a binding says for which rules apply.
//
// The command offers them; the console does not yet.
package template
