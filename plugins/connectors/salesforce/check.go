package salesforce

import (
	"context"
	"net/http"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Check tries, in order, to resolve, reach and trust the login server, to sign
// in, to describe User, and whether all that the configuration names is there.
// Steps after a failure are skipped. The error is always nil: failures are in
// the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	var users description
	return sdk.Probes(ctx, sdkhttp.Reach(ctx, t.client.login, t.client.tls, "login_url"),
		sdk.Probe{Name: "credentials", Try: func(ctx context.Context) (string, error) {
			return "signed in", t.signIn(ctx)
		}, Fix: "Check client_id, the key or secret, and who the connected app lets act; a change there takes some minutes."},
		sdk.Probe{Name: "permission", Try: func(ctx context.Context) (detail string, err error) {
			users, err = t.describe(ctx)
			return t.mayManage(users, err)
		}, Fix: "Give the user to act as the permissions API Enabled and Manage Users, and check api_version."},
		sdk.Probe{Name: "schema", Try: func(ctx context.Context) (string, error) {
			return "the profile, fields and groups of the configuration are there", t.checkSchema(ctx, users)
		}, Fix: "Correct the field of the configuration that is named, or make what is missing visible to the user to act as."},
	), nil
}

// signIn gets a session and shows it to the org. What the org says beside
// refusing the session is for the next step.
func (t *Target) signIn(ctx context.Context) error {
	_, err := t.client.do(ctx, call{method: http.MethodGet, path: t.client.root + "/"})
	if a := answerOf(err); a != nil && a.status != http.StatusUnauthorized {
		return nil
	}
	return err
}

// description is what the org says of the fields of User.
type description struct {
	Createable bool `json:"createable"`
	Updateable bool `json:"updateable"`
	Queryable  bool `json:"queryable"`
	Fields     []struct {
		Name           string `json:"name"`
		Createable     bool   `json:"createable"`
		Updateable     bool   `json:"updateable"`
		ExternalID     bool   `json:"externalId"`
		Unique         bool   `json:"unique"`
		PicklistValues []struct {
			Value  string `json:"value"`
			Active bool   `json:"active"`
		} `json:"picklistValues"`
	} `json:"fields"`
}

func (t *Target) describe(ctx context.Context) (description, error) {
	var d description
	resp, err := t.client.do(ctx, call{method: http.MethodGet, path: t.client.root + "/sobjects/User/describe"})
	if err != nil {
		return d, noService(err)
	}
	return d, resp.Decode(&d)
}

func (t *Target) mayManage(users description, err error) (detail string, _ error) {
	switch {
	case err != nil:
		return "", err
	case !users.Queryable || !users.Createable || !users.Updateable:
		return "", sdk.Forbidden("users cannot be read, made and changed with these credentials")
	}
	detail = "users can be read, made and changed"
	if used := t.client.usage.String(); used != "" {
		detail += "; " + used
	}
	return detail, nil
}

// checkSchema looks for everything the configuration names.
func (t *Target) checkSchema(ctx context.Context, users description) error {
	if err := t.checkFields(users); err != nil {
		return err
	}
	if err := t.checkProfile(ctx); err != nil {
		return err
	}
	for _, m := range t.memberships() {
		if len(m.managed) == 0 {
			continue
		}
		if _, err := t.groupIDs(ctx, m, m.managed); err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) checkFields(users description) error {
	missing := map[string]bool{}
	for _, a := range attributes() {
		missing[a.Name] = true
	}
	external := t.cfg.ExternalIDField == ""
	settings := map[string]string{fieldTimeZone: "time_zone", fieldLocale: "locale", fieldLanguage: "language", fieldEncoding: "email_encoding"}
	for _, f := range users.Fields {
		if f.Createable && f.Updateable {
			delete(missing, f.Name)
		}
		external = external || strings.EqualFold(f.Name, t.cfg.ExternalIDField) && f.ExternalID && f.Unique && f.Updateable
		value, set := t.cfg.defaults()[f.Name]
		offered := false
		for _, v := range f.PicklistValues {
			offered = offered || v.Active && v.Value == value
		}
		if set && len(f.PicklistValues) > 0 && !offered {
			return sdk.Invalid(settings[f.Name], "the org does not offer this value for "+f.Name)
		}
	}
	for _, a := range attributes() {
		if missing[a.Name] {
			return sdk.Invalid(a.Name, "the field of User is not there, or may not be written")
		}
	}
	if !external {
		return sdk.Invalid("external_id_field", "User has no such field that is an external id, unique and may be written")
	}
	return nil
}

// checkProfile looks the profile up anew, whether it is configured by name or id.
func (t *Target) checkProfile(ctx context.Context) error {
	condition := "Name = " + quote(t.cfg.Profile)
	if id := idOf(t.cfg.Profile); id != "" && strings.HasPrefix(id, "00e") {
		condition = "Id = " + quote(id)
	}
	records, err := t.client.query("SELECT Id,Name FROM Profile WHERE "+condition, 0).all(ctx)
	if err == nil && len(records) != 1 {
		return sdk.Invalid("profile", "the org has no such profile")
	}
	return err
}
