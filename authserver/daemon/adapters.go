package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/recovery"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/session"
	authstore "github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// people is the user service that also ends sessions and tokens, which users know
// nothing of: whoever may not sign in, or has a new password, is signed out
// everywhere. After a new password, applications must ask them again; those of a
// disabled user get nothing either, until that is taken back.
type people struct {
	*user.Service
	admins   authstore.Admins
	sessions *session.Manager
	tokens   *authstore.OAuth
	links    authstore.MailTokens
	factor   *secondfactor.Service
	keys     authstore.Passkeys
	mail     *recovery.Service // nil without a mail server
	log      *slog.Logger
}

// Register adds a user and mails them a link to verify their address. The mail is no
// condition: they may ask for another.
func (p people) Register(ctx context.Context, u user.User, password sdk.Secret) (user.User, error) {
	made, err := p.Service.Register(ctx, u, password)
	if err != nil || p.mail == nil {
		return made, err
	}
	if err := p.mail.AskVerification(ctx, made.ID, made.Locale); err != nil {
		p.log.WarnContext(ctx, "ask for mail", "user_id", made.ID, "error", err)
	}
	return made, nil
}

// ReplacePassword stores a hash, ends the sessions and tokens begun with the old
// password, and spoils the links that were mailed to replace it.
func (p people) ReplacePassword(ctx context.Context, id provisioning.UserID, hash string) error {
	err := p.Service.ReplacePassword(ctx, id, hash)
	if err == nil {
		err = p.links.Drop(ctx, id, recovery.PurposeReset)
	}
	if err == nil {
		_, err = p.tokens.RevokeUser(ctx, id, p.Now())
	}
	return p.thenSignOut(ctx, id, err)
}

// SetActive disables or enables.
func (p people) SetActive(ctx context.Context, id provisioning.UserID, active bool) error {
	if active {
		return p.Enable(ctx, id)
	}
	return p.thenSignOut(ctx, id, p.Disable(ctx, id))
}

// Delete removes the user and ends their sessions.
func (p people) Delete(ctx context.Context, id provisioning.UserID) error {
	err := p.Service.Delete(ctx, id)
	if err == nil {
		err = p.factor.Remove(ctx, id)
	}
	if err == nil {
		_, err = p.keys.RemoveAllOf(ctx, id)
	}
	if err == nil {
		err = p.admins.Revoke(ctx, id)
	}
	return p.thenSignOut(ctx, id, err)
}

// SetPassword replaces the password; see ReplacePassword.
func (p people) SetPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) error {
	hash, err := p.HashPassword(ctx, id, password)
	if err != nil {
		return err
	}
	return p.Tx.InTx(ctx, func(ctx context.Context) error { return p.ReplacePassword(ctx, id, hash) })
}

func (p people) thenSignOut(ctx context.Context, id provisioning.UserID, err error) error {
	if err != nil {
		return err
	}
	return p.sessions.EndAllOf(ctx, id)
}

// Active implements provisioning.UserStatus.
func (p people) Active(ctx context.Context, id provisioning.UserID) (bool, error) {
	u, err := p.Get(ctx, id)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return false, nil
	}
	return u.Active(), err
}

// targetResources gives the target store the verbs of package resources.
type targetResources struct {
	*store.Targets
	now func() time.Time
}

// Put implements resources.Targets.
func (t targetResources) Put(ctx context.Context, target provisioning.Target) error {
	_, err := t.Targets.Put(ctx, target, t.now())
	return err
}

// bindingResources forgives the deletion of a binding that is gone.
type bindingResources struct{ *store.Bindings }

// Delete implements resources.Bindings.
func (b bindingResources) Delete(ctx context.Context, client provisioning.ClientID, target provisioning.TargetName) error {
	if err := b.Bindings.Delete(ctx, client, target); !errors.Is(err, provisioning.ErrBindingNotFound) {
		return err
	}
	return nil
}

// apps tells rules of applications.
type apps struct{ store authstore.Applications }

// App implements provisioning.Apps.
func (a apps) App(ctx context.Context, client provisioning.ClientID) (rules.App, error) {
	app, err := a.store.Get(ctx, client)
	if errors.Is(err, application.ErrNotFound) {
		return rules.App{ClientID: string(client)}, nil
	}
	return rules.App{Name: app.Name, ClientID: string(client)}, err
}

// ruleSetResources gives the rule set store the verbs of package resources.
type ruleSetResources struct {
	*store.RuleSets
	now func() time.Time
}

// Put implements resources.RuleSets.
func (r ruleSetResources) Put(ctx context.Context, set rules.RuleSet) error {
	_, err := r.RuleSets.Put(ctx, set, r.now())
	return err
}

// gateLedger is the two stores the gate reads and writes.
type gateLedger struct {
	*store.Bindings
	*store.Accounts
	apps application.Store
}

// Standings implements provisioning.GateLedger.
func (g gateLedger) Standings(ctx context.Context, client provisioning.ClientID, user provisioning.UserID) ([]provisioning.Standing, error) {
	standings, err := g.Bindings.Standings(ctx, client, user)
	if err != nil || len(standings) > 0 {
		return standings, err
	}
	bound, err := boundAs(ctx, g.apps, client)
	if err != nil || bound == client {
		return nil, err
	}
	return g.Bindings.Standings(ctx, bound, user)
}

// accountsOf lists a user's accounts; it implements selfservice.Accounts.
type accountsOf struct{ store *store.Accounts }

// Of implements selfservice.Accounts.
func (a accountsOf) Of(ctx context.Context, id provisioning.UserID) ([]provisioning.Account, error) {
	return a.store.List(ctx, provisioning.AccountFilter{User: id})
}

// provisioned tells applications of a user's accounts.
type provisioned struct{ gateLedger }

// Provisioned implements op.Accounts: the accounts in the application's targets
// that are there or under way.
func (p provisioned) Provisioned(ctx context.Context, client provisioning.ClientID, user provisioning.UserID) (map[provisioning.TargetName]op.Account, error) {
	standings, err := p.Standings(ctx, client, user)
	if err != nil {
		return nil, err
	}
	out := map[provisioning.TargetName]op.Account{}
	for _, s := range standings {
		switch a := s.Account; {
		case a == nil:
		case a.Skipped(): // it may be there, and is not as the profile is
			out[s.Binding.Target] = op.Account{ID: a.ExternalID, State: provisioning.State(provisioning.OutcomeSkipped)}
		default:
			out[s.Binding.Target] = op.Account{ID: a.ExternalID, State: a.State}
		}
	}
	return out, nil
}

// tokens is the token store with the transactions of a response.
type tokens struct {
	*authstore.OAuth
	tx provisioning.Tx
}

// InTx implements op.Store.
func (t tokens) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return t.tx.InTx(ctx, fn)
}

// protocolPages shows the OpenID provider's pages.
type protocolPages struct{ pages *web.Renderer }

// Error implements op.Pages.
func (e protocolPages) Error(w http.ResponseWriter, r *http.Request, status int, page op.ErrorPage) {
	texts := e.pages.Texts(r, "")
	message := web.MessagePage{
		Status: status, Title: "error.request.title", Text: "error.request.text", Detail: page.Description, Reference: page.Reference,
	}
	switch {
	case page.Code == op.CodeExpired:
		message.Title, message.Text, message.Detail = "error.expired.title", "error.expired.text", ""
	case status >= http.StatusInternalServerError:
		message.Title, message.Text, message.Detail = "error.internal.title", "error.internal.text", ""
	}
	if page.Link != "" {
		message.Link, message.LinkText = page.Link, texts.T("back_to_app", "app", page.App)
	}
	e.pages.Message(w, texts, message)
}

// FormPost implements op.Pages.
func (e protocolPages) FormPost(w http.ResponseWriter, r *http.Request, action string, fields url.Values) {
	e.pages.FormPost(w, e.pages.Texts(r, ""), web.FormPostPage{Action: action, Fields: fields})
}

var (
	_ op.Accounts        = provisioned{}
	_ op.Pages           = protocolPages{}
	_ resources.Targets  = targetResources{}
	_ resources.Bindings = bindingResources{}
	_ resources.RuleSets = ruleSetResources{}
	_ resources.Users    = people{}
	_ recovery.Users     = people{}
	_ recovery.Limits    = people{}
)
