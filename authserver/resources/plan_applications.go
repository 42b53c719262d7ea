package resources

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

func (p *planner) application(ctx context.Context, path string, a Application) error {
	current, known := p.state.applications[a.ClientID]
	wanted := a.application(current)
	secretChanged := p.clientSecret(path, a, &wanted)
	if err := p.checkApplication(ctx, path, current, wanted); err != nil {
		return err
	}
	bindings := p.bindings(path, a)
	old := any(nil)
	if known {
		old = withBindings(exportApplication(current), p.state.bindings[a.ClientID])
	}
	desired := withBindings(exportApplication(wanted), bindings)
	c := compare("application", a.ClientID, old, desired)
	if c == nil && (secretChanged || current.SelfRegistered) {
		c = &Change{Action: ActionUpdate, Kind: "application", Name: a.ClientID}
	}
	if c == nil {
		return nil
	}
	c.Fields = slices.DeleteFunc(c.Fields, func(f FieldChange) bool { return strings.HasPrefix(f.Path, "secret.") })
	if current.SelfRegistered { // it is no longer its client's to change
		c.Fields = append(c.Fields, FieldChange{Path: "self_registered", Old: "true"})
	}
	if secretChanged {
		c.Fields = append(c.Fields, FieldChange{Path: "secret", New: "*** (set)"})
	}
	if known && current.Sector() != wanted.Sector() {
		p.plan.Warnings.add(path+"subject_type", "users become others to the application: everything issued to it ends, and it cannot tell who they were")
	}
	p.add(c, p.putApplication(wanted, p.state.bindings[a.ClientID], bindings))
	return nil
}

// checkApplication notes what is wrong with the wanted application. The sector it
// names is asked only about one that is right otherwise.
func (p *planner) checkApplication(ctx context.Context, path string, current, wanted application.Application) error {
	err := wanted.Validate()
	if err == nil {
		err = p.backend.Sectors.Check(ctx, current, wanted)
	}
	var problems application.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, problem := range problems {
		p.problems.add(path+problem.Field, "%s", problem.Text)
	}
	return nil
}

// clientSecret sets the hash of the wanted application and reports whether it
// is a new one. A confidential client without any secret gets one made.
func (p *planner) clientSecret(path string, a Application, wanted *application.Application) bool {
	if !wanted.AuthMethod.UsesSecret() {
		if a.Secret != nil {
			p.problems.add(path+"secret", "an application with auth_method %s has no secret", wanted.AuthMethod)
		}
		return false
	}
	if a.Secret != nil {
		secret, ok := p.backend.resolve(path+"secret", *a.Secret, &p.problems)
		if ok && !application.VerifySecret(wanted.SecretHash, secret) {
			wanted.SecretHash = application.HashSecret(secret)
			return true
		}
		if a.Secret.Stored && wanted.SecretHash == "" {
			p.problems.add(path+"secret.stored", "no secret is stored for this application")
		}
		return false
	}
	if wanted.SecretHash != "" {
		return false
	}
	secret := application.GenerateSecret()
	p.plan.Generated[a.ClientID] = secret
	wanted.SecretHash = application.HashSecret(secret)
	return true
}

// bindings returns the application's bindings as they shall be.
func (p *planner) bindings(path string, a Application) []provisioning.Binding {
	if a.Outbound == nil {
		return p.state.bindings[a.ClientID]
	}
	return p.wantedBindings(path+"outbound_provisioning", provisioning.ClientID(a.ClientID), *a.Outbound)
}

func withBindings(a Application, bindings []provisioning.Binding) Application {
	a.Outbound = exportBindings(bindings)
	return a
}

func (p *planner) putApplication(a application.Application, old, wanted []provisioning.Binding) func(context.Context, *Backend) error {
	return func(ctx context.Context, b *Backend) error {
		if _, err := b.Applications.Put(ctx, a); err != nil {
			return err
		}
		return b.putBindings(ctx, old, wanted)
	}
}
