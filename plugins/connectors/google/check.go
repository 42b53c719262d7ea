package google

import (
	"context"
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Check tries, in order, to resolve, reach and trust the API, to get a token, to
// read users and, where they are managed, groups, and to find what the
// configuration names. Steps after a failure are skipped. The error is always
// nil: failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	return sdk.Probes(ctx, sdkhttp.Reach(ctx, t.base, t.trust, "base_url"),
		sdk.Probe{Name: "credentials", Try: t.checkCredentials, Fix: "Check the key, the subject, this machine's clock, and in the Admin console " +
			"(Security, API controls, Domain-wide delegation) that the service account's client id has exactly these scopes: " + strings.Join(t.cfg.scopes(), ",")},
		sdk.Probe{Name: "permission", Try: t.checkPermission, Fix: "Enable the Admin SDK API in the service account's project, and give the subject an " +
			"administrator role that may manage users, and groups if the target has some."},
		sdk.Probe{Name: "schema", Try: t.checkNames, Fix: "Correct groups and custom_schemas, or make what they name in the Admin console."},
	), nil
}

// checkCredentials gets a token, and shows it: the API may refuse what the token
// endpoint gave.
func (t *Target) checkCredentials(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*t.cfg.Timeout)
	defer cancel()
	if _, err := t.tokens.get(ctx, ""); err != nil {
		return "", err
	}
	if err := t.readOne(ctx); sdk.KindOf(err) == sdk.KindUnauthorized {
		return "", err
	}
	return "the service account may act as " + t.cfg.Subject, nil
}

func (t *Target) checkPermission(ctx context.Context) (string, error) {
	if err := t.readOne(ctx); err != nil {
		return "", err
	}
	if len(t.cfg.Groups) == 0 {
		return "users can be read", nil
	}
	if err := t.readGroup(ctx, t.cfg.Groups[0]); err != nil && !notThere(err) {
		return "", err
	}
	return "users and groups can be read", nil
}

// checkNames looks for the groups and custom schemas that are configured.
func (t *Target) checkNames(ctx context.Context) (string, error) {
	for _, g := range t.cfg.Groups {
		if err := t.readGroup(ctx, g); err != nil {
			return "", named("group", g, err)
		}
	}
	for _, name := range t.cfg.CustomSchemas {
		_, err := t.do(ctx, call{}, func(ctx context.Context) error {
			_, err := t.service.Schemas.Get(t.cfg.Customer, name).Context(ctx).Do()
			return err
		})
		if err != nil {
			return "", named("custom schema", name, err)
		}
	}
	if n := len(t.cfg.Groups) + len(t.cfg.CustomSchemas); n > 0 {
		return fmt.Sprintf("%d groups and custom schemas found", n), nil
	}
	return "accounts have Google's own attributes only", nil
}

func named(what, name string, err error) error {
	e := *sdk.AsError(err)
	if notThere(err) {
		e.Message = fmt.Sprintf("there is no %s %s", what, name)
	}
	return &e
}

// readOne lists one user, which needs credentials and permission.
func (t *Target) readOne(ctx context.Context) error {
	_, err := t.do(ctx, call{}, func(ctx context.Context) error {
		_, err := t.service.Users.List().Customer(t.cfg.Customer).MaxResults(1).Context(ctx).Do()
		return err
	})
	return err
}

func (t *Target) readGroup(ctx context.Context, group string) error {
	_, err := t.do(ctx, call{}, func(ctx context.Context) error {
		_, err := t.service.Groups.Get(group).Context(ctx).Do()
		return err
	})
	return err
}
