package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/sdk"
)

// Targets keeps targets.
type Targets interface {
	// List returns all of them, by name.
	List(ctx context.Context) ([]provisioning.Target, error)
	// Put creates or replaces one.
	Put(ctx context.Context, t provisioning.Target) error
}

// Bindings keeps bindings.
type Bindings interface {
	// List returns all of them, by application and position.
	List(ctx context.Context) ([]provisioning.Binding, error)
	// Put creates or replaces one.
	Put(ctx context.Context, b provisioning.Binding) error
	// Delete removes one; none is no error.
	Delete(ctx context.Context, client provisioning.ClientID, target provisioning.TargetName) error
}

// RuleSets keeps rule sets.
type RuleSets interface {
	// List returns the current revision of each, by name.
	List(ctx context.Context) ([]provisioning.StoredRuleSet, error)
	// Put stores one as a new revision, unless it is the current one.
	Put(ctx context.Context, s rules.RuleSet) error
}

// Applications keeps applications; application.Store has the meaning.
type Applications interface {
	Get(ctx context.Context, id provisioning.ClientID) (application.Application, error)
	Put(ctx context.Context, a application.Application) (application.Application, error)
	List(ctx context.Context, after provisioning.ClientID, limit int) ([]application.Application, error)
}

// Upstreams keeps upstreams.
type Upstreams interface {
	// List returns all of them, by name.
	List(ctx context.Context) ([]federation.Upstream, error)
	// Put creates or replaces one.
	Put(ctx context.Context, u federation.Upstream) error
}

// ResourceServers keeps resource servers.
type ResourceServers interface {
	// List returns all of them, by identifier.
	List(ctx context.Context) ([]resourceserver.Server, error)
	// Put creates or replaces one.
	Put(ctx context.Context, s resourceserver.Server) error
}

// Users keeps users; user.Service has the meaning.
type Users interface {
	ByLogin(ctx context.Context, login string) (user.User, error)
	Import(ctx context.Context, u user.User, password sdk.Secret) (user.User, error)
	Update(ctx context.Context, id provisioning.UserID, change func(*user.User) error) (user.User, error)
	SetActive(ctx context.Context, id provisioning.UserID, active bool) error
	List(ctx context.Context, q user.Query) ([]user.User, error)
}

// Connectors knows what configuration and attributes a connector takes.
type Connectors interface {
	// Validate returns the configuration's problems; an error means the connector
	// could not be asked.
	Validate(ctx context.Context, connector string, cfg sdk.RawConfig) ([]sdk.Problem, error)
	// CheckMapping returns what is wrong with the target's mapping for the
	// attributes its connector declares, nil if nothing is; [ErrGroups] when the
	// target maps groups and its connector knows none.
	CheckMapping(ctx context.Context, t provisioning.Target) error
}

// Sectors knows which applications a sector lists.
type Sectors interface {
	// Check returns [application.Problems] unless the sector that the application names
	// lists it; before is the application as it is stored.
	Check(ctx context.Context, before, a application.Application) error
}

// Audit keeps what was changed, and by whom; *audit.Log is one.
type Audit interface {
	// Note records an act in ctx's transaction. It refuses an act of nobody.
	Note(ctx context.Context, act audit.Act) error
}

// ErrGroups means that a target maps groups and its connector cannot set any.
var ErrGroups = errors.New("the connector cannot put accounts into groups")

// Backend is where resources live.
type Backend struct {
	Targets      Targets
	Bindings     Bindings
	Applications Applications
	RuleSets     RuleSets
	Upstreams    Upstreams
	// ResourceServers are the APIs that tokens may be for.
	ResourceServers ResourceServers
	Users           Users
	Connectors      Connectors
	Sectors         Sectors
	Audit           Audit
	// InTx runs fn in one transaction.
	InTx func(ctx context.Context, fn func(ctx context.Context) error) error
	// Getenv and ReadFile resolve secret references, ReadFile the files of rule sets.
	Getenv   func(string) string
	ReadFile func(string) ([]byte, error)
	// Dir is the folder of the document, which files of rule sets are relative to;
	// "" is the working directory.
	Dir string
}

// resolve returns the referenced secret; ok is false for "stored".
func (b *Backend) resolve(path string, ref SecretRef, p *Problems) (secret sdk.Secret, ok bool) {
	switch {
	case ref.Env != "":
		if secret = sdk.Secret(b.Getenv(ref.Env)); secret == "" {
			p.add(path+".env", "environment variable %s is empty", ref.Env)
		}
	case ref.File != "":
		raw, err := b.ReadFile(ref.File)
		if err != nil {
			p.add(path+".file", "%v", pathError(err))
		} else if secret = sdk.Secret(strings.TrimRight(string(raw), "\r\n")); secret == "" {
			p.add(path+".file", "%s is empty", ref.File)
		}
	default:
		return "", false
	}
	return secret, secret != ""
}

func pathError(err error) error {
	if os.IsNotExist(err) {
		return fmt.Errorf("no such file")
	}
	return err
}

// checkTarget asks the connector what is wrong with the target.
func (b *Backend) checkTarget(ctx context.Context, path string, t provisioning.Target, p *Problems) {
	found, err := b.Connectors.Validate(ctx, t.Connector, sdk.RawConfig{Values: json.RawMessage(t.Config), Secrets: t.Secrets})
	if err != nil {
		p.add(path+"connector", "%v", err)
		return
	}
	for _, problem := range found {
		at := path + "config"
		if problem.Field != "" {
			at += "." + problem.Field
		}
		p.add(at, "%s", problem.Message)
	}
	err = b.Connectors.CheckMapping(ctx, t)
	if errors.Is(err, ErrGroups) {
		p.add(path+"groups", "%v", ErrGroups)
	} else if err != nil {
		addMapping(path, err, p)
	}
}
