package resources

import (
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Document is a resources file.
type Document struct {
	Targets      []Target      `yaml:"targets,omitempty" json:"targets,omitempty"`
	Applications []Application `yaml:"applications,omitempty" json:"applications,omitempty"`
	// DefaultBindings are for users who belong to no application. They are
	// authoritative when present, as an application's are.
	DefaultBindings *[]Binding `yaml:"default_bindings,omitempty" json:"default_bindings,omitempty"`
	RuleSets        []RuleSet  `yaml:"rule_sets,omitempty" json:"rule_sets,omitempty"`
	Users           []User     `yaml:"users,omitempty" json:"users,omitempty"`
	Upstreams       []Upstream `yaml:"upstreams,omitempty" json:"upstreams,omitempty"`
	// ResourceServers are the APIs that access tokens may be for.
	ResourceServers []resourceserver.Server `yaml:"resource_servers,omitempty" json:"resource_servers,omitempty"`
	Groups          []any                   `yaml:"groups,omitempty" json:"groups,omitempty"`
}

// Target is a configured connector.
type Target struct {
	Name      string               `yaml:"name" json:"name"`
	Connector string               `yaml:"connector" json:"connector"`
	Config    map[string]any       `yaml:"config,omitempty" json:"config,omitempty"`
	Secrets   map[string]SecretRef `yaml:"secrets,omitempty" json:"secrets,omitempty"`
	Mapping   []Mapping            `yaml:"mapping,omitempty" json:"mapping,omitempty"`
	// Maps are tables that expressions of the mapping know as maps.<name>.
	Maps         map[string]map[string]string `yaml:"maps,omitempty" json:"maps,omitempty"`
	Groups       map[string][]string          `yaml:"groups,omitempty" json:"groups,omitempty"`
	Adopt        string                       `yaml:"adopt,omitempty" json:"adopt,omitempty"`
	OnUserDelete string                       `yaml:"on_user_delete,omitempty" json:"on_user_delete,omitempty"`
	// ReconcileEvery is how often the ledger is compared with the target, such as
	// 24h; left out, never.
	ReconcileEvery string `yaml:"reconcile_every,omitempty" json:"reconcile_every,omitempty"`
	MaxConcurrency *int   `yaml:"max_concurrency,omitempty" json:"max_concurrency,omitempty"`
	RatePerMinute  int    `yaml:"rate_per_minute,omitempty" json:"rate_per_minute,omitempty"`
	// Maintenance left out keeps what is set: it is switched by hand, too.
	Maintenance *bool `yaml:"maintenance,omitempty" json:"maintenance,omitempty"`
}

// SecretRef says where a secret is. Exactly one field is set.
type SecretRef struct {
	Env  string `yaml:"env,omitempty" json:"env,omitempty"`
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Stored keeps the secret that is in the database: export writes it.
	Stored bool `yaml:"stored,omitempty" json:"stored,omitempty"`
}

// Application is an OAuth client with its bindings.
type Application struct {
	ClientID             string     `yaml:"client_id" json:"client_id"`
	Name                 string     `yaml:"name,omitempty" json:"name,omitempty"`
	RedirectURIs         []string   `yaml:"redirect_uris,omitempty" json:"redirect_uris,omitempty"`
	Type                 string     `yaml:"type,omitempty" json:"type,omitempty"`
	AuthMethod           string     `yaml:"auth_method,omitempty" json:"auth_method,omitempty"`
	Secret               *SecretRef `yaml:"secret,omitempty" json:"secret,omitempty"`
	GrantTypes           []string   `yaml:"grant_types,omitempty" json:"grant_types,omitempty"`
	Scopes               []string   `yaml:"scopes,omitempty" json:"scopes,omitempty"`
	IDTokenAlg           string     `yaml:"id_token_alg,omitempty" json:"id_token_alg,omitempty"`
	InitiateLoginURI     string     `yaml:"initiate_login_uri,omitempty" json:"initiate_login_uri,omitempty"`
	Registration         bool       `yaml:"registration,omitempty" json:"registration,omitempty"`
	Disabled             bool       `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	application.Settings `yaml:",inline"`
	// Outbound is authoritative when present: a binding left out is removed.
	Outbound *[]Binding `yaml:"outbound_provisioning,omitempty" json:"outbound_provisioning,omitempty"`
}

// Binding ties the application to a target. Fields left out take the documented
// defaults.
type Binding struct {
	Target          string `yaml:"target" json:"target"`
	Blocking        bool   `yaml:"blocking" json:"blocking"`
	EnableRules     bool   `yaml:"enable_rules" json:"enable_rules"`
	JITOutbound     *bool  `yaml:"jit_outbound,omitempty" json:"jit_outbound,omitempty"`
	Timeout         string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	OnCreateFailure string `yaml:"on_create_failure,omitempty" json:"on_create_failure,omitempty"`
	OnUpdateFailure string `yaml:"on_update_failure,omitempty" json:"on_update_failure,omitempty"`
	OnRuleDeny      string `yaml:"on_rule_deny,omitempty" json:"on_rule_deny,omitempty"`
	OnRuleError     string `yaml:"on_rule_error,omitempty" json:"on_rule_error,omitempty"`
	OnRefresh       string `yaml:"on_refresh,omitempty" json:"on_refresh,omitempty"`
	OnLoss          string `yaml:"on_loss,omitempty" json:"on_loss,omitempty"`
	ReportOnly      bool   `yaml:"report_only,omitempty" json:"report_only,omitempty"`
	// RuleSets are names; they are asked if EnableRules is set.
	RuleSets []string `yaml:"rule_sets,omitempty" json:"rule_sets,omitempty"`
}

// User is a person in the user store.
type User struct {
	Login         string              `yaml:"login" json:"login"`
	Email         string              `yaml:"email,omitempty" json:"email,omitempty"`
	EmailVerified bool                `yaml:"email_verified,omitempty" json:"email_verified,omitempty"`
	GivenName     string              `yaml:"given_name,omitempty" json:"given_name,omitempty"`
	FamilyName    string              `yaml:"family_name,omitempty" json:"family_name,omitempty"`
	Name          string              `yaml:"name,omitempty" json:"name,omitempty"`
	Locale        string              `yaml:"locale,omitempty" json:"locale,omitempty"`
	PhoneNumber   string              `yaml:"phone_number,omitempty" json:"phone_number,omitempty"`
	Groups        []string            `yaml:"groups,omitempty" json:"groups,omitempty"`
	Claims        map[string][]string `yaml:"claims,omitempty" json:"claims,omitempty"`
	Disabled      bool                `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	// Home is the application a new user belongs to; ignored for a known one.
	Home string `yaml:"home,omitempty" json:"home,omitempty"`
	// Password is set for a new user only: a stored one cannot be compared.
	Password *SecretRef `yaml:"password,omitempty" json:"password,omitempty"`
}

// binding returns the domain's binding, with defaults for what is left out. The
// document was validated before.
func (b Binding) binding(client provisioning.ClientID, position int) provisioning.Binding {
	out := provisioning.NewBinding(client, provisioning.TargetName(b.Target))
	out.Blocking, out.EnableRules, out.ReportOnly, out.Position = b.Blocking, b.EnableRules, b.ReportOnly, position
	out.RuleSets = b.RuleSets
	if b.JITOutbound != nil {
		out.JITOutbound = *b.JITOutbound
	}
	if d, err := time.ParseDuration(b.Timeout); err == nil {
		out.Timeout = d
	}
	if b.OnCreateFailure != "" {
		out.OnCreateFailure = provisioning.FailurePolicy(b.OnCreateFailure)
	}
	if b.OnUpdateFailure != "" {
		out.OnUpdateFailure = provisioning.FailurePolicy(b.OnUpdateFailure)
	}
	if b.OnRuleDeny != "" {
		out.OnRuleDeny = provisioning.RulePolicy(b.OnRuleDeny)
	}
	if b.OnRuleError != "" {
		out.OnRuleError = provisioning.RulePolicy(b.OnRuleError)
	}
	if b.OnRefresh != "" {
		out.OnRefresh = provisioning.RefreshPolicy(b.OnRefresh)
	}
	if b.OnLoss != "" {
		out.OnLoss = provisioning.LossPolicy(b.OnLoss)
	}
	return out
}

// exportBinding is the inverse of [Binding.binding]: defaults are left out.
func exportBinding(b provisioning.Binding) Binding {
	def := provisioning.NewBinding(b.Client, b.Target)
	jit := b.JITOutbound
	out := Binding{Target: string(b.Target), Blocking: b.Blocking, EnableRules: b.EnableRules, JITOutbound: &jit, ReportOnly: b.ReportOnly, RuleSets: b.RuleSets}
	if b.Timeout != def.Timeout {
		out.Timeout = b.Timeout.String()
	}
	if b.OnCreateFailure != def.OnCreateFailure {
		out.OnCreateFailure = string(b.OnCreateFailure)
	}
	if b.OnUpdateFailure != def.OnUpdateFailure {
		out.OnUpdateFailure = string(b.OnUpdateFailure)
	}
	if b.OnRuleDeny != def.OnRuleDeny {
		out.OnRuleDeny = string(b.OnRuleDeny)
	}
	if b.OnRuleError != def.OnRuleError {
		out.OnRuleError = string(b.OnRuleError)
	}
	if b.OnRefresh != def.OnRefresh {
		out.OnRefresh = string(b.OnRefresh)
	}
	if b.OnLoss != def.OnLoss {
		out.OnLoss = string(b.OnLoss)
	}
	return out
}
