package resources

import (
	"encoding/json"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// target returns the domain's target. Secrets are resolved already.
func (t Target) target(secrets map[string]sdk.Secret) (provisioning.Target, error) {
	out := provisioning.Target{
		Name: provisioning.TargetName(t.Name), Connector: t.Connector, Secrets: secrets,
		Groups: t.Groups, Maps: t.Maps, Adopt: provisioning.AdoptIfUnclaimed, OnUserDelete: provisioning.DeleteSuspend,
	}
	if t.Adopt != "" {
		out.Adopt = provisioning.AdoptPolicy(t.Adopt)
	}
	if t.OnUserDelete != "" {
		out.OnUserDelete = provisioning.DeletePolicy(t.OnUserDelete)
	}
	out.ReconcileEvery = reconcileEvery(t.ReconcileEvery)
	t.limit(&out)
	for _, m := range t.Mapping {
		out.Mapping = append(out.Mapping, m.rule())
	}
	values := t.Config
	if values == nil {
		values = map[string]any{}
	}
	raw, err := json.Marshal(values)
	out.Config = raw
	return out, err
}

// exportTarget is the inverse, with the secrets left where they are.
func exportTarget(t provisioning.Target) (Target, error) {
	out := Target{Name: string(t.Name), Connector: t.Connector, Groups: t.Groups, Maps: t.Maps, Adopt: string(t.Adopt), OnUserDelete: string(t.OnUserDelete)}
	out.ReconcileEvery = exportReconcile(t.ReconcileEvery)
	out.exportLimits(t)
	for name := range t.Secrets {
		if out.Secrets == nil {
			out.Secrets = map[string]SecretRef{}
		}
		out.Secrets[name] = SecretRef{Stored: true}
	}
	for _, m := range t.Mapping {
		out.Mapping = append(out.Mapping, exportMapping(m))
	}
	if len(t.Config) == 0 {
		return out, nil
	}
	err := json.Unmarshal(t.Config, &out.Config)
	return out, err
}

// application returns the domain's application on top of the current one, whose
// secret stays unless another is given.
func (a Application) application(current application.Application) application.Application {
	out := application.New(provisioning.ClientID(a.ClientID), a.Name)
	out.Revision, out.SecretHash, out.CreatedAt = current.Revision, current.SecretHash, current.CreatedAt
	out.RedirectURIs, out.InitiateLoginURI = a.RedirectURIs, a.InitiateLoginURI
	out.Registration, out.Enabled, out.Settings = a.Registration, !a.Disabled, a.Settings
	if a.Name == "" {
		out.Name = a.ClientID
	}
	if a.Type != "" {
		out.Type = application.Type(a.Type)
	}
	if a.AuthMethod != "" {
		out.AuthMethod = application.AuthMethod(a.AuthMethod)
	}
	if a.GrantTypes != nil {
		out.GrantTypes = a.GrantTypes
	}
	if a.Scopes != nil {
		out.Scopes = a.Scopes
	}
	if a.IDTokenAlg != "" {
		out.IDTokenAlg = a.IDTokenAlg
	}
	if !out.AuthMethod.UsesSecret() {
		out.SecretHash = ""
	}
	return out
}

// exportApplication is the inverse, without its bindings.
func exportApplication(a application.Application) Application {
	out := Application{
		ClientID: string(a.ClientID), Name: a.Name, RedirectURIs: a.RedirectURIs, Type: string(a.Type), AuthMethod: string(a.AuthMethod),
		GrantTypes: a.GrantTypes, Scopes: a.Scopes, IDTokenAlg: a.IDTokenAlg, InitiateLoginURI: a.InitiateLoginURI,
		Registration: a.Registration, Disabled: !a.Enabled, Settings: a.Settings,
	}
	if a.SecretHash != "" {
		out.Secret = &SecretRef{Stored: true}
	}
	return out
}
