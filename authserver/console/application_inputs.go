package console

import (
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/console/form"
	"github.com/anteroom-id/anteroom/authserver/resources"
)

// applicationSections are the inputs of an application, without its bindings. known is
// set for one that is there: its client_id stays.
func applicationSections(known bool) []form.Section {
	return []form.Section{
		{Title: "Application", Inputs: []form.Input{
			{Path: "client_id", Label: "Client ID", Hint: "What the application calls itself to the server. It cannot be changed later.", Kind: form.Text, Required: true, Fixed: known},
			{Path: "name", Label: "Name", Hint: "Shown to people who sign in.", Kind: form.Text},
			{Path: "redirect_uris", Label: "Redirect URIs", Hint: "Where codes may go, one a line; compared letter for letter.", Kind: form.Lines},
			{Path: "initiate_login_uri", Label: "Sign-in page of the application", Hint: "Where somebody is sent who lost the way.", Kind: form.Text},
			{Path: "registration", Label: "People may register through it", Kind: form.Check},
			{Path: "disabled", Label: "Enabled", Kind: form.Check, Inverted: true},
		}},
		{Title: "Client and grants", Folded: true, Inputs: clientInputs()},
		{Title: "Tokens and consent", Folded: true, Inputs: tokenInputs()},
		{Title: "Sign-out", Folded: true, Inputs: []form.Input{
			{Path: "post_logout_redirect_uris", Label: "Post-logout redirect URIs", Hint: "Where the browser may go after signing out, one a line.", Kind: form.Lines},
			{Path: "backchannel_logout_uri", Label: "Back-channel logout URI", Hint: "Told by the server when a session ends.", Kind: form.Text},
			{Path: "frontchannel_logout_uri", Label: "Front-channel logout URI", Hint: "Loaded in the browser when a session ends.", Kind: form.Text},
		}},
		{Title: "About the application", Folded: true, Inputs: []form.Input{
			{Path: "client_uri", Label: "Home page", Kind: form.Text},
			{Path: "policy_uri", Label: "Privacy policy", Hint: "Shown where people are asked for consent.", Kind: form.Text},
			{Path: "tos_uri", Label: "Terms of service", Hint: "The same.", Kind: form.Text},
			{Path: "logo_uri", Label: "Logo", Kind: form.Text},
			{Path: "contacts", Label: "Contacts", Hint: "Mail addresses, say; one a line.", Kind: form.Lines},
		}},
	}
}

func clientInputs() []form.Input {
	return []form.Input{
		{Path: "type", Label: "Type", Kind: form.Choice, Options: []form.Option{{Value: "web", Label: "Web: runs on a server or in a browser"}, {Value: "native", Label: "Native: runs on the user's device"}}},
		{Path: "auth_method", Label: "Client authentication", Kind: form.Choice, Options: []form.Option{
			{Value: "client_secret_basic", Label: "Secret, in the header (client_secret_basic)"},
			{Value: "client_secret_post", Label: "Secret, in the form (client_secret_post)"},
			{Value: "private_key_jwt", Label: "Its own key (private_key_jwt)"},
			{Value: "none", Label: "None: a public client"},
		}},
		{Path: "jwks_uri", Label: "Key set URI", Hint: "Where it publishes its keys, for private_key_jwt.", Kind: form.Text},
		{Path: "token_endpoint_auth_signing_alg", Label: "Algorithm of its assertions", Kind: form.Choice, Options: append([]form.Option{{Label: "Each that fits its key"}}, assertionAlgs()...)},
		{Path: "grant_types", Label: "Grant types", Kind: form.Several, Options: []form.Option{
			{Value: application.GrantAuthorizationCode, Label: "Code (authorization_code)"},
			{Value: application.GrantRefreshToken, Label: "Refresh (refresh_token)"},
			{Value: application.GrantClientCredentials, Label: "For itself (client_credentials)"},
			{Value: application.GrantDeviceCode, Label: "On a device without a browser (device_code)"},
		}},
		{Path: "scopes", Label: "Scopes", Hint: "What it may ask for, one a line.", Kind: form.Lines},
		{Path: "cors_origins", Label: "CORS origins", Hint: "Whose pages may read our answers, such as https://app.example.com; one a line.", Kind: form.Lines},
		{Path: "pkce_optional", Label: "May do without PKCE", Hint: "For confidential applications that cannot do it.", Kind: form.Check},
		{Path: "require_pushed_authorization_requests", Label: "Must push its authorization requests", Kind: form.Check},
		{Path: "dpop_bound_access_tokens", Label: "Must bind its tokens to a key (DPoP)", Kind: form.Check},
	}
}

func assertionAlgs() []form.Option {
	var names []string
	for _, alg := range application.AssertionAlgs() {
		names = append(names, string(alg))
	}
	return values(names...)
}

func tokenInputs() []form.Input {
	return []form.Input{
		{Path: "id_token_alg", Label: "Algorithm of ID tokens", Kind: form.Choice, Options: values(application.SigningAlgs()...)},
		{Path: "userinfo_signed_response_alg", Label: "Userinfo", Kind: form.Choice, Options: append([]form.Option{{Label: "Plain JSON"}}, values(application.SigningAlgs()...)...)},
		{Path: "access_token_format", Label: "Access tokens for us", Kind: form.Choice, Options: []form.Option{{Label: "Opaque"}, {Value: string(application.TokenJWT), Label: "JWT (RFC 9068)"}}},
		{Path: "subject_type", Label: "Subject", Hint: "Pairwise: another value than applications of other sectors get.", Kind: form.Choice, Options: []form.Option{
			{Label: "The same for every application (public)"}, {Value: string(application.SubjectPairwise), Label: "Its own (pairwise)"}}},
		{Path: "sector_identifier_uri", Label: "Sector identifier URI", Hint: "Lists the redirect URIs of all applications of the sector.", Kind: form.Text},
		{Path: "consent", Label: "Consent", Kind: form.Choice, Options: []form.Option{{Label: "Nobody is asked (skip)"}, {Value: string(application.ConsentAsk), Label: "Each user is asked (ask)"}}},
		{Path: "default_max_age", Label: "Default max_age", Hint: "Seconds after which people sign in again, unless a request says otherwise.", Kind: form.Number},
		{Path: "refresh_grace", Label: "Grace of used refresh tokens", Hint: "How long a used one may be used again by a client whose answer was lost: 0s to 1m0s. Left empty, 10s.", Kind: form.Text},
	}
}

// values are options that speak for themselves.
func values(all ...string) []form.Option {
	out := make([]form.Option, len(all))
	for i, v := range all {
		out[i] = form.Option{Value: v, Label: v}
	}
	return out
}

// bindings is the path of the bindings in an application's document.
const bindings = "outbound_provisioning"

func bindingPath(row int, field string) string { return fmt.Sprintf("%s[%d].%s", bindings, row, field) }

// bindingInputs are the three options of a binding.
func bindingInputs(row int) []form.Input {
	return []form.Input{
		{Path: bindingPath(row, "blocking"), Label: "Blocking", Kind: form.Check},
		{Path: bindingPath(row, "enable_rules"), Label: "Enable Rules", Kind: form.Check},
		{Path: bindingPath(row, "jit_outbound"), Label: "JIT Outbound", Kind: form.Check},
	}
}

// policyInputs are what refines the options.
func policyInputs(row int, names resources.Names) []form.Input {
	choice := func(field, label string, options ...form.Option) form.Input {
		return form.Input{Path: bindingPath(row, field), Label: label, Kind: form.Choice, Options: options}
	}
	return []form.Input{
		{Path: bindingPath(row, "rule_sets"), Label: "Rule sets", Kind: form.Several, Options: values(names.RuleSets...)},
		{Path: bindingPath(row, "timeout"), Label: "Timeout", Hint: "How long a sign-in waits, such as 10s. Left empty, 10s.", Kind: form.Text},
		choice("on_create_failure", "When an account cannot be made", form.Option{Value: "", Label: "Refuse the sign-in (deny, default)"}, form.Option{Value: "allow", Label: "Let the user in (allow)"}),
		choice("on_update_failure", "When an account cannot be updated", form.Option{Value: "", Label: "Refuse the sign-in (deny, default)"}, form.Option{Value: "allow", Label: "Let the user in (allow)"}),
		choice("on_rule_deny", "When the rules deny", form.Option{Value: "", Label: "Go on without the account (skip, default)"}, form.Option{Value: "refuse", Label: "Refuse the sign-in (refuse)"}),
		choice("on_rule_error", "When the rules give no decision", form.Option{Value: "", Label: "Refuse the sign-in (refuse, default)"}, form.Option{Value: "skip", Label: "Go on without the account (skip)"}),
		choice("on_refresh", "When tokens are refreshed", form.Option{Value: "", Label: "Look at the ledger (check, default)"}, form.Option{Value: "ensure", Label: "Wait a little for work that is due (ensure)"}, form.Option{Value: "skip", Label: "Look at the user only (skip)"}),
		choice("on_loss", "When nothing grants the account any more", form.Option{Value: "", Label: "Keep it (keep, default)"}, form.Option{Value: "suspend", Label: "Suspend it (suspend)"}, form.Option{Value: "delete", Label: "Delete it if we made it (delete)"}),
		{Path: bindingPath(row, "report_only"), Label: "Report only", Hint: "Decide and record, never hold or refuse.", Kind: form.Check},
	}
}

func allInputs(sections []form.Section) []form.Input {
	var out []form.Input
	for _, s := range sections {
		out = append(out, s.Inputs...)
	}
	return out
}
