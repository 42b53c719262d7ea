package scim2

// dialect is how a server, or the servers made for one client, differ from the
// standard. It is data: what a field means is said here and done in one place.
type dialect struct {
	// update is what "auto" stands for; "" goes by the server's configuration.
	update string
	// config is the address of the server's configuration (RFC 7644, 4); "" when
	// it has none that is worth asking for.
	config string
	// capitalOps writes operations as "Replace", as Entra does.
	capitalOps bool
	// textBooleans writes booleans of a PATCH as "True" and "False".
	textBooleans bool
	// valueObject suspends by an operation without a path, whose value is an object.
	valueObject bool
	// wholeLists replaces a list as a whole instead of the value of one entry.
	wholeLists bool
	// required are attributes that a new account must have, beside userName.
	required []string
	// pageSize is the largest page; 0 for the standard's freedom.
	pageSize int
	// memberOf is the filter that finds the groups of a user, before the id; "" when
	// the user says so itself, or the groups have to be read.
	memberOf string
	// oldProtocol speaks SCIM 1.1.
	oldProtocol bool
	// deleteSuspends is set where DELETE leaves an inactive account behind.
	deleteSuspends bool
}

// standard is the dialect of servers that keep to RFC 7644.
const standard = "standard"

// dialects is the table of them, by the name in the configuration.
func dialects() map[string]dialect {
	const config, plural = "ServiceProviderConfig", "ServiceProviderConfigs"
	return map[string]dialect{
		standard: {config: config},
		// AWS IAM Identity Center: one e-mail address, members cannot be read.
		"aws": {
			update: updatePatch, wholeLists: true, pageSize: 50, memberOf: "members eq",
			required: []string{"displayName", "name.givenName", "name.familyName"},
		},
		// What was made for the provisioning of Microsoft Entra ID.
		"entra-style": {update: updatePatch, capitalOps: true, textBooleans: true, config: config},
		// GitHub Enterprise Managed Users and GitHub Enterprise Server.
		"github": {update: updatePatch, pageSize: 100, required: []string{"email", "name.givenName", "name.familyName"}},
		// GitLab groups: one user per answer, no description of the server.
		"gitlab": {update: updatePatch, required: []string{"email"}},
		// What was made for the provisioning of Okta's own integrations.
		"okta-style": {update: updatePut, valueObject: true, config: config},
		"salesforce": {config: plural, deleteSuspends: true, pageSize: 200, required: []string{"email", "name.familyName"}},
		"slack":      {config: plural, deleteSuspends: true, update: updatePatch, required: []string{"email"}},
	}
}
