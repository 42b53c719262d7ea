// Package cel compiles and evaluates native rule sets: YAML documents whose
// conditions are CEL expressions (https://cel.dev, the language definition of
// cel-spec).
//
// It owns the form of such a document ([Compile] says what is wrong with one, with
// line and column), the vocabulary of its conditions, their limits, and the account
// of why a condition held or did not ([Set.Explain]). A compiled [Set] is a
// [rules.Evaluator]; its decisions are combined by package rules, so that both
// languages combine alike.
//
//	combining: deny-overrides   # the default; permit-overrides, first-applicable, deny-unless-permit, permit-unless-deny
//	default_decision: deny      # the default; what NotApplicable becomes
//	timezone: Asia/Colombo      # UTC by default
//	rules:
//	  - id: engineers
//	    effect: permit
//	    operations: [create, update]   # both by default
//	    when: "'Engineering' in user.groups && user.email_verified"
//	    obligations: [{id: assign-role, values: {role: developer}}]
//
// Conditions see user, app, connector, request, account and env, with the fields of
// [rules.Request]; env has now, date, hour, minute_of_day and weekday in the zone of
// the rule set. Besides what package expression has for every expression there
// are env.between("22:00", "06:00"), which runs over midnight, and
// request.ip.in_network("10.0.0.0/8"). There is no clock,
// no chance and no look-up: the same request gets the same decision.
//
// It does not own where rule sets are kept, what NotApplicable turns into once
// several sets are combined ([Set.Default] is for whoever does that), or what
// follows from a decision. It does no I/O: time zones are those of time/tzdata,
// linked in.
package cel
