package wso2

// Verdict says what becomes of a key.
type Verdict string

// The verdicts.
const (
	Carried   Verdict = "carried over"
	NotNeeded Verdict = "not needed"
	Decide    Verdict = "needs your decision"
)

// Row is what becomes of one key of one connector, as far as its name decides.
// The value may turn Carried and NotNeeded into Decide.
type Row struct {
	Connector string // WSO2's
	Key       string
	Verdict   Verdict
	Field     string // of our connector's configuration, for Carried
	Attribute string // that the mapping gives a value made of this key, for Carried
	Secret    bool   // the value is a secret: it is referred to, never written
	Note      string // the reason, or what to do
}

// kinds are WSO2's connectors and ours.
func kinds() map[string]string {
	return map[string]string{"SCIM2": "scim2", "scim": "scim1", "googleapps": "google", "salesforce": "salesforce"}
}

// The notes that several rows have.
const (
	noPassword = "Anteroom has no passwords of users to send; accounts sign in by single sign-on"
	byPattern  = "with a domain, or a pattern other than {UN}, logins are made by the target's mapping"
	byAddress  = "groups lie beside the users at base_url; which of them a user gets is the target's groups"
	byDomain   = "names are sent without a user store's; a prefix would be part of the target's mapping"
)

// Table returns a row for each known key, in the order in which WSO2 shows them.
func Table() []Row {
	rows := scimRows("SCIM2", "scim2-")
	rows = append(rows, scimRows("scim", "scim-")...)
	rows = append(rows, googleRows()...)
	return append(rows, salesforceRows()...)
}

func scimRows(connector, prefix string) []Row {
	row := func(key string, v Verdict, field, note string) Row {
		return Row{Connector: connector, Key: prefix + key, Verdict: v, Field: field, Note: note}
	}
	secret := func(key, field, note string) Row {
		r := row(key, Carried, field, note)
		r.Secret = true
		return r
	}
	var rows []Row
	if connector == "SCIM2" {
		rows = append(rows, row("authentication-mode", Carried, "auth", "apiKey becomes api_key; basic if it is missing"))
	}
	rows = append(rows,
		row("username", Carried, "username", "with basic authentication"),
		secret("password", "password", "with basic authentication"),
	)
	if connector == "SCIM2" {
		rows = append(rows,
			secret("access-token", "token", "with bearer authentication"),
			row("api-key-header", Carried, "api_key_header", "with an API key"),
			secret("api-key-value", "api_key", "with an API key"),
		)
	}
	return append(rows,
		row("user-ep", Carried, "base_url", "without /Users at its end"),
		row("group-ep", NotNeeded, "", byAddress),
		row("user-store-domain", NotNeeded, "", byDomain),
		row("enable-pwd-provisioning", NotNeeded, "", noPassword),
		Row{Connector: connector, Key: prefix + "default-pwd", Verdict: NotNeeded, Secret: true, Note: noPassword},
	)
}

func googleRows() []Row {
	row := func(key string, v Verdict, field, note string) Row {
		return Row{Connector: "googleapps", Key: "google_prov_" + key, Verdict: v, Field: field, Note: note}
	}
	part := func(key string) Row {
		r := row(key, Carried, "", byPattern)
		r.Attribute = logins()["googleapps"].attribute
		return r
	}
	key := row("private_key", Decide, "credentials", "it is a PKCS #12 file without the account's data: make a key of the type JSON for the same service account")
	key.Secret = true
	return []Row{
		part("domain_name"),
		row("email_claim_dropdown", NotNeeded, "", "WSO2 asks for it and does not use it; primaryEmail is the target's mapping"),
		row("givenname_claim_dropdown", NotNeeded, "", "mapped by default from user.given_name"),
		row("familyname_claim_dropdown", NotNeeded, "", "mapped by default from user.family_name"),
		row("givenname", Decide, "", "a default for a missing given name: see that every user has one"),
		row("familyname", Decide, "", "a default for a missing family name: see that every user has one"),
		row("service_acc_email", NotNeeded, "", "it is in the service account's JSON key"),
		key,
		row("admin_email", Carried, "subject", ""),
		row("application_name", NotNeeded, "", "it only named the client in Google's log"),
		part("pattern"),
		part("separator"),
	}
}

func salesforceRows() []Row {
	row := func(key string, v Verdict, field, note string) Row {
		return Row{Connector: "salesforce", Key: "sf-" + key, Verdict: v, Field: field, Note: note}
	}
	part := func(key string) Row {
		r := row(key, Carried, "", byPattern)
		r.Attribute = logins()["salesforce"].attribute
		return r
	}
	secret := row("client-secret", Carried, "client_secret", "")
	secret.Secret = true
	password := row("password", NotNeeded, "", "no user's password is kept: the target signs in with client credentials or a key")
	password.Secret = true
	return []Row{
		row("api-version", Carried, "api_version", "from v46.0 on; an older one is left to the default"),
		row("domain-name", Carried, "login_url", "the org's My Domain"),
		row("clientid", Carried, "client_id", ""),
		secret,
		row("usePasswordGrant", NotNeeded, "", "auth becomes client_credentials: allow the flow in the connected app and name the user it runs as"),
		row("username", NotNeeded, "", "with client credentials the connected app names the user; jwt_bearer needs it as username"),
		password,
		row("token-endpoint", NotNeeded, "", "tokens are fetched below login_url"),
		part("prov-pattern"),
		part("prov-separator"),
		part("prov-domainName"),
	}
}
