package provisioning

// Explain says in one plain sentence what the binding's three options do
// together.
func (b Binding) Explain() string {
	type options struct{ blocking, rules, jit bool }
	return map[options]string{
		{false, false, true}:  "Sign-in goes on at once; the account is made in the background.",
		{true, false, true}:   "Sign-in waits until the account exists; without it there is no token.",
		{false, false, false}: "Sign-in makes no account; registering with the application does, in the background.",
		{true, false, false}:  "Only users whose account exists get in; registering with the application makes it, sign-in does not.",
		{false, true, true}:   "Sign-in goes on at once; the account is made in the background if the rules permit it.",
		{true, true, true}:    "Sign-in waits for the account of users whom the rules permit; others go on without one.",
		{false, true, false}:  "Sign-in makes no account; registering with the application does, in the background, if the rules permit it.",
		{true, true, false}:   "Users whom the rules permit get in only if their account exists; registering makes it, sign-in does not.",
	}[options{b.Blocking, b.EnableRules, b.JITOutbound}]
}
