package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// The views are what -o json prints: scripts rely on their keys, so that they
// are not tied to the domain's structs. Durations are text, times that never
// were are left out, and nothing secret is in them.

type userView struct {
	ID            provisioning.UserID   `json:"id"`
	Login         string                `json:"login"`
	Email         string                `json:"email,omitempty"`
	EmailVerified bool                  `json:"email_verified"`
	GivenName     string                `json:"given_name,omitempty"`
	FamilyName    string                `json:"family_name,omitempty"`
	Name          string                `json:"name,omitempty"`
	Locale        string                `json:"locale,omitempty"`
	PhoneNumber   string                `json:"phone_number,omitempty"`
	Groups        []string              `json:"groups"`
	Claims        map[string][]string   `json:"claims,omitempty"`
	Status        user.Status           `json:"status"`
	Home          provisioning.ClientID `json:"home,omitempty"`
	Source        string                `json:"source,omitempty"`
	Revision      int64                 `json:"revision"`
	CreatedAt     time.Time             `json:"created_at"`
	UpdatedAt     time.Time             `json:"updated_at"`
}

func viewUser(u user.User) userView {
	return userView{
		ID: u.ID, Login: u.Login, Email: u.Email, EmailVerified: u.EmailVerified, GivenName: u.GivenName, FamilyName: u.FamilyName,
		Name: u.Name, Locale: u.Locale, PhoneNumber: u.PhoneNumber, Groups: append([]string{}, u.Groups...), Claims: u.Claims,
		Status: u.Status, Home: u.Home, Source: u.Source, Revision: u.Revision, CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}

type applicationView struct {
	ClientID         provisioning.ClientID  `json:"client_id"`
	Name             string                 `json:"name"`
	RedirectURIs     []string               `json:"redirect_uris"`
	Type             application.Type       `json:"type"`
	AuthMethod       application.AuthMethod `json:"auth_method"`
	GrantTypes       []string               `json:"grant_types"`
	Scopes           []string               `json:"scopes"`
	IDTokenAlg       string                 `json:"id_token_alg"`
	InitiateLoginURI string                 `json:"initiate_login_uri,omitempty"`
	Registration     bool                   `json:"registration"`
	Enabled          bool                   `json:"enabled"`
	SelfRegistered   bool                   `json:"self_registered"`
	application.Settings
	Sector    application.Sector `json:"sector,omitempty"`
	Revision  int64              `json:"revision"`
	CreatedAt time.Time          `json:"created_at"`
	UpdatedAt time.Time          `json:"updated_at"`
}

func viewApplication(a application.Application) applicationView {
	return applicationView{
		ClientID: a.ClientID, Name: a.Name, RedirectURIs: append([]string{}, a.RedirectURIs...), Type: a.Type, AuthMethod: a.AuthMethod,
		GrantTypes: append([]string{}, a.GrantTypes...), Scopes: append([]string{}, a.Scopes...), IDTokenAlg: a.IDTokenAlg,
		InitiateLoginURI: a.InitiateLoginURI, Registration: a.Registration, Enabled: a.Enabled, SelfRegistered: a.SelfRegistered, Settings: a.Settings, Sector: a.Sector(), Revision: a.Revision,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

type bindingView struct {
	Application     provisioning.ClientID      `json:"application"`
	Target          provisioning.TargetName    `json:"target"`
	Blocking        bool                       `json:"blocking"`
	EnableRules     bool                       `json:"enable_rules"`
	RuleSets        []string                   `json:"rule_sets"`
	JITOutbound     bool                       `json:"jit_outbound"`
	Timeout         string                     `json:"timeout"`
	OnCreateFailure provisioning.FailurePolicy `json:"on_create_failure"`
	OnUpdateFailure provisioning.FailurePolicy `json:"on_update_failure"`
	OnRuleDeny      provisioning.RulePolicy    `json:"on_rule_deny"`
	OnRuleError     provisioning.RulePolicy    `json:"on_rule_error"`
	OnRefresh       provisioning.RefreshPolicy `json:"on_refresh"`
	OnLoss          provisioning.LossPolicy    `json:"on_loss"`
	ReportOnly      bool                       `json:"report_only"`
	Explanation     string                     `json:"explanation"`
}

func viewBinding(b provisioning.Binding) bindingView {
	return bindingView{
		Application: b.Client, Target: b.Target, Blocking: b.Blocking, EnableRules: b.EnableRules, RuleSets: append([]string{}, b.RuleSets...), JITOutbound: b.JITOutbound,
		Timeout: b.Timeout.String(), OnCreateFailure: b.OnCreateFailure, OnUpdateFailure: b.OnUpdateFailure,
		OnRuleDeny: b.OnRuleDeny, OnRuleError: b.OnRuleError, OnRefresh: b.OnRefresh, OnLoss: b.OnLoss,
		ReportOnly: b.ReportOnly, Explanation: b.Explain(),
	}
}

type targetView struct {
	Name               provisioning.TargetName         `json:"name"`
	Connector          string                          `json:"connector"`
	Config             json.RawMessage                 `json:"config"`
	Secrets            []string                        `json:"secrets"` // names of those that are set
	Mapping            []provisioning.AttributeMapping `json:"mapping,omitempty"`
	Maps               map[string]map[string]string    `json:"maps,omitempty"`
	Adopt              provisioning.AdoptPolicy        `json:"adopt"`
	OnUserDelete       provisioning.DeletePolicy       `json:"on_user_delete"`
	Revision           int64                           `json:"revision"`
	ReconcileEvery     string                          `json:"reconcile_every,omitempty"`
	LastReconciliation *driftReportView                `json:"last_reconciliation,omitempty"` // only of one target

	MaxConcurrency int             `json:"max_concurrency"`
	RatePerMinute  int             `json:"rate_per_minute"` // 0 for no limit
	Maintenance    bool            `json:"maintenance"`
	State          targetStateView `json:"state"`
}

func viewTarget(t provisioning.Target) targetView {
	every := ""
	if t.ReconcileEvery > 0 {
		every = t.ReconcileEvery.String()
	}
	return targetView{
		ReconcileEvery: every,
		Name:           t.Name, Connector: t.Connector, Config: t.Config, Secrets: append([]string{}, slices.Sorted(maps.Keys(t.Secrets))...),
		Mapping: t.Mapping, Maps: t.Maps, Adopt: t.Adopt, OnUserDelete: t.OnUserDelete, Revision: t.Revision,
	}
}

type checkStepView struct {
	Name   string          `json:"name"`
	Status sdk.CheckStatus `json:"status"`
	Detail string          `json:"detail,omitempty"`
	Fix    string          `json:"fix,omitempty"`
}

func viewCheckStep(s sdk.CheckStep) checkStepView { return checkStepView(s) }
