package cel

import "github.com/anteroom-id/anteroom/provisioning/rules"

// Categories of what rules may ask, by the names that XACML policies use for them,
// so that a rule set of either language says what it uses in the same words.
const (
	categoryUser        = "http://wso2.org/identity/user"
	categoryApp         = "http://wso2.org/identity/sp"
	categoryConnector   = "http://wso2.org/identity/idp"
	categoryOperation   = "http://wso2.org/identity/provisioning"
	categoryRequest     = "urn:anteroom:request"
	categoryAccount     = "urn:anteroom:account"
	categoryEnvironment = "urn:oasis:names:tc:xacml:3.0:attribute-category:environment"
	environment         = "urn:oasis:names:tc:xacml:1.0:environment:"
)

// Data types by the names of XACML.
const (
	xsd          = "http://www.w3.org/2001/XMLSchema#"
	typeString   = xsd + "string"
	typeBoolean  = xsd + "boolean"
	typeDateTime = xsd + "dateTime"
	typeDate     = xsd + "date"
	typeTime     = xsd + "time"
	typeIP       = "urn:oasis:names:tc:xacml:2.0:data-type:ipAddress"
)

// pathClaims is the one entry that stands for many attributes: one a claim.
const pathClaims = "user.claims"

// vocabulary names every path that a condition may use. A field of a request that
// is not here is not to be seen.
func vocabulary() map[string]rules.Attribute {
	const user, claims = "urn:anteroom:user:", "http://wso2.org/claims/"
	return map[string]rules.Attribute{
		"user.id":             {Category: categoryUser, ID: user + "id", Type: typeString},
		"user.username":       {Category: categoryUser, ID: categoryUser + "/username", Type: typeString},
		"user.email":          {Category: categoryUser, ID: claims + "emailaddress", Type: typeString},
		"user.email_verified": {Category: categoryUser, ID: user + "email-verified", Type: typeBoolean},
		"user.given_name":     {Category: categoryUser, ID: claims + "givenname", Type: typeString},
		"user.family_name":    {Category: categoryUser, ID: claims + "lastname", Type: typeString},
		"user.name":           {Category: categoryUser, ID: claims + "fullname", Type: typeString},
		"user.locale":         {Category: categoryUser, ID: claims + "local", Type: typeString},
		"user.phone_number":   {Category: categoryUser, ID: claims + "mobile", Type: typeString},
		"user.active":         {Category: categoryUser, ID: user + "active", Type: typeBoolean},
		"user.source":         {Category: categoryUser, ID: user + "source", Type: typeString},
		"user.groups":         {Category: categoryUser, ID: claims + "groups", Type: typeString},
		"user.roles":          {Category: categoryUser, ID: claims + "roles", Type: typeString},
		pathClaims:            {Category: categoryUser, ID: "*", Type: typeString},

		"app.name":      {Category: categoryApp, ID: categoryApp + "/sp-name", Type: typeString},
		"app.client_id": {Category: categoryApp, ID: "urn:anteroom:app:client-id", Type: typeString},
		"app.labels":    {Category: categoryApp, ID: "urn:anteroom:app:label", Type: typeString},

		"connector.name":    {Category: categoryConnector, ID: categoryConnector + "/idp-name", Type: typeString},
		"connector.type":    {Category: categoryConnector, ID: categoryConnector + "/connector-type", Type: typeString},
		"connector.binding": {Category: categoryConnector, ID: "urn:anteroom:connector:binding", Type: typeString},

		"request.operation": {Category: categoryOperation, ID: categoryOperation + "/provision-operation", Type: typeString},
		"request.scopes":    {Category: categoryRequest, ID: "urn:anteroom:request:scope", Type: typeString},
		"request.acr":       {Category: categoryRequest, ID: "urn:anteroom:request:acr", Type: typeString},
		"request.amr":       {Category: categoryRequest, ID: "urn:anteroom:request:amr", Type: typeString},
		"request.ip":        {Category: categoryRequest, ID: "urn:anteroom:request:ip", Type: typeIP},
		"request.trigger":   {Category: categoryRequest, ID: "urn:anteroom:request:trigger", Type: typeString},
		"request.auth_time": {Category: categoryRequest, ID: "urn:anteroom:request:auth-time", Type: typeDateTime},

		"account.linked":           {Category: categoryAccount, ID: "urn:anteroom:account:linked", Type: typeBoolean},
		"account.remote_id":        {Category: categoryAccount, ID: "urn:anteroom:account:remote-id", Type: typeString},
		"account.last_provisioned": {Category: categoryAccount, ID: "urn:anteroom:account:last-provisioned", Type: typeDateTime},

		"env.now":           {Category: categoryEnvironment, ID: environment + "current-dateTime", Type: typeDateTime},
		"env.date":          {Category: categoryEnvironment, ID: environment + "current-date", Type: typeDate},
		"env.minute_of_day": {Category: categoryEnvironment, ID: environment + "current-time", Type: typeTime},
		"env.hour":          {Category: categoryEnvironment, ID: environment + "current-time", Type: typeTime},
		"env.weekday":       {Category: categoryEnvironment, ID: "urn:anteroom:environment:weekday", Type: typeString},
	}
}

// pathBetween is what env.between asks.
const pathBetween = "env.minute_of_day"
