package template

// Parameters that several templates have.
func roleParameter() Parameter {
	return Parameter{Name: "roles", Kind: KindNames, Help: "Users who have one of these, as a role or as a group."}
}

func claimParameter() Parameter {
	return Parameter{Name: "claims", Kind: KindClaims, Help: "Users who have all of these, each as claim=value."}
}

func timeParameters() []Parameter {
	return []Parameter{
		{Name: "from", Kind: KindClock, Help: "The first minute of the window.", Default: "09:00"},
		{Name: "until", Kind: KindClock, Help: "The minute after its last; earlier than the first for a window over midnight.", Default: "17:00"},
		{Name: "timezone", Kind: KindZone, Help: "The time zone of the window.", Default: "UTC"},
	}
}

// All returns the templates, WSO2's first. Those let in whom they describe and deny
// everybody else, on create and on update alike.
func All() []Template {
	return append(wso2(), own()...)
}

// Find returns a template by its name.
func Find(name string) (Template, bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return Template{}, false
}

func wso2() []Template {
	return []Template{
		{Name: "provisioning_role_based_policy_template", Help: "Provision users who have one of the given roles.",
			Parameters: []Parameter{roleParameter()},
			build:      func(v Values) []rule { return permit("permit_by_role", withRole(v)) }},
		{Name: "provisioning_user_claim_based_policy_template", Help: "Provision users who have the given values of claims.",
			Parameters: []Parameter{claimParameter()},
			build:      func(v Values) []rule { return permit("permit_by_claims", withClaims(v)) }},
		{Name: "provisioning_time_based_policy_template", Help: "Provision users at the given time of day.",
			Parameters: timeParameters(),
			build:      func(v Values) []rule { return permit("permit_by_time", during(v)) }},
		{Name: "provisioning_time_and_role_based_policy_template", Help: "Provision users who have one of the given roles, at the given time of day.",
			Parameters: append(timeParameters(), roleParameter()),
			build:      func(v Values) []rule { return permit("permit_by_role_and_time", allOf{during(v), withRole(v)}) }},
		{Name: "provisioning_time_and_user_claim_based_policy_template", Help: "Provision users who have the given values of claims, at the given time of day.",
			Parameters: append(timeParameters(), claimParameter()),
			build:      func(v Values) []rule { return permit("permit_by_claims_and_time", allOf{during(v), withClaims(v)}) }},
	}
}

func own() []Template {
	groupParameter := Parameter{Name: "groups", Kind: KindNames, Help: "Users who are in one of these groups."}
	domains := Parameter{Name: "domains", Kind: KindDomains, Help: "Domains of mail addresses; those below them are not meant."}
	networks := Parameter{Name: "networks", Kind: KindNetworks, Help: "Networks that the browser must be in. In XACML of IPv4 only."}
	return []Template{
		{Name: "group_based", Help: "Provision users who are in one of the given groups.",
			Parameters: []Parameter{groupParameter},
			build:      func(v Values) []rule { return permit("permit_by_group", withGroup(v["groups"])) }},
		{Name: "email_domain", Help: "Provision users whose verified mail address is of one of the given domains.",
			Parameters: []Parameter{domains},
			build:      func(v Values) []rule { return permit("permit_by_domain", allOf{verified(), ofDomain(v["domains"])}) }},
		{Name: "verified_email_only", Help: "Provision users whose mail address is verified.",
			build: func(Values) []rule { return permit("permit_verified", verified()) }},
		{Name: "exclude_contractors", Help: "Provision everybody but users of the given groups, and those of the given domains of mail addresses.",
			Parameters: []Parameter{
				{Name: "groups", Kind: KindNames, Help: "Groups of contractors.", Default: "contractors"}, domains,
			},
			build: exclude},
		{Name: "allow_all", Help: "Provision everybody.",
			build: func(Values) []rule { return permit("permit_all", always{})[:1] }},
		{Name: "first_login_only", Help: "Create accounts, and never change one.",
			build: func(Values) []rule {
				rules := permit("permit_first", not{linked()})
				rules[0].create = true
				return rules
			}},
		{Name: "network_cidr", Help: "Provision users whose browser is in one of the given networks.",
			Parameters: []Parameter{networks},
			build:      func(v Values) []rule { return permit("permit_by_network", ofNetwork(v["networks"])) }},
	}
}

// permit lets in for a term, and denies what is left.
func permit(id string, when term) []rule {
	return []rule{{id: id, effect: "permit", when: when}, {id: "deny_others", effect: "deny", when: always{}}}
}

func exclude(v Values) []rule {
	return []rule{
		{id: "deny_contractors", effect: "deny", when: anyOf{withGroup(v["groups"]), ofDomain(v["domains"])}},
		{id: "permit_others", effect: "permit", when: always{}},
	}
}

func each(values []string, make func(string) term) anyOf {
	var out anyOf
	for _, v := range values {
		out = append(out, make(v))
	}
	return out
}

func withGroup(names []string) term {
	return each(names, func(s string) term { return has{groups(), s} })
}

func withRole(v Values) term {
	return each(v["roles"], func(s string) term { return anyOf{has{groups(), s}, has{roles(), s}} })
}

func ofDomain(domains []string) term {
	return each(domains, func(s string) term { return inDomain(s) })
}

func ofNetwork(networks []string) term {
	return each(networks, func(s string) term { return inNetwork(s) })
}

func withClaims(v Values) term {
	var out allOf
	for _, c := range v["claims"] {
		name, value := splitClaim(c)
		out = append(out, has{claimOf(name), value})
	}
	return out
}

func during(v Values) term { return between{v["from"][0], v["until"][0]} }
