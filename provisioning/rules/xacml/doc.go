// Package xacml evaluates policies of XACML 3.0 (OASIS Standard, 22 January
// 2013) as rules for package rules.
//
// It owns the reading of policies and requests, the data types and functions of
// the standard, the evaluation of targets, conditions, obligations and advice,
// references between policies, the names that WSO2's provisioning policies use
// for what a [rules.Request] has, what is worth a warning when such a policy is
// imported ([Set.Lint]), and the account of why it decided so ([Set.Explain]). The combining algorithms are those of package rules.
//
// It does not own where policies are kept, what follows from a decision, or the
// default for what no policy applies to. It does no I/O.
//
// # What is there
//
// All that the standard makes mandatory. Not there, and refused when a policy is
// compiled: XPath (AttributeSelector, xpathExpression), issued policies, combiner
// parameters, requests for several decisions. Integers are of 64 bits; a result
// out of their range is an error, as is a call of constants that can only fail:
// the latter when the policy is compiled.
//
// # What a policy can ask for
//
// The categories and identifiers that WSO2 documents for outbound provisioning,
// with four differences. The operation is what would really be done to the
// account, POST or PUT: PATCH and DELETE do not occur, for rules are not asked
// about them. Groups and roles are there for every operation, whole. A value is
// never split at its commas. Times are typed, in the time zone of the rule set.
// What WSO2 has no name for is under urn:anteroom: ids:
//
//	http://wso2.org/identity/user   urn:anteroom:user:id, :source (string), :active, :email-verified (boolean)
//	http://wso2.org/identity/sp     urn:anteroom:app:client-id, :label (string)
//	http://wso2.org/identity/idp    urn:anteroom:connector:binding (string)
//	urn:anteroom:request            urn:anteroom:request:scope, :acr, :amr, :trigger (string), :ip (ipAddress), :auth-time (dateTime)
//	urn:anteroom:account            urn:anteroom:account:linked (boolean), :remote-id (string), :last-provisioned (dateTime)
//
// Any other identifier in http://wso2.org/identity/user is the claim of that
// name; http://wso2.org/claims/NAME is the field NAME stands for, else the claim
// of that URI, else the claim NAME.
package xacml
