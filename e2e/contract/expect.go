package contract

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// field returns the field of the profile that the attribute takes its value from.
func (l *lab) field(p *provisioning.Profile, attribute string) *string {
	l.Helper()
	fields := map[string]*string{
		"user.given_name": &p.GivenName, "user.family_name": &p.FamilyName, "user.name": &p.Name,
		"user.email": &p.Email, "user.phone_number": &p.PhoneNumber,
	}
	f := fields[l.source(attribute)]
	if f == nil {
		l.Fatalf("%s of %s takes its value from %q, want a name, a phone number or an e-mail address", attribute, l.server.Name, l.source(attribute))
	}
	return f
}

func (l *lab) source(attribute string) string {
	for _, m := range l.server.Mapping {
		if m.Attribute == attribute {
			return m.Source
		}
	}
	for _, a := range l.server.Connector.Describe().Attributes {
		if a.Name == attribute && l.server.Mapping == nil {
			return a.Source
		}
	}
	return ""
}

// claims reports whether the connector can say whose an account is.
func (l *lab) claims() bool {
	return slices.ContainsFunc(l.server.Connector.Describe().Attributes, func(a sdk.Attribute) bool { return a.Owner })
}

// failed checks that the last run failed, how, and that no link came of it.
func (l *lab) failed(p provisioning.Profile, kinds ...sdk.Kind) provisioning.Account {
	l.Helper()
	a := l.account(p)
	if a.InSync() || !slices.Contains(kinds, a.Kind) {
		l.Fatalf("the account is %s, kind %q (%s), in sync %v; want it failed with %v", a.State, a.Kind, a.Detail, a.InSync(), kinds)
	}
	return a
}

// reached checks that the last run ended well, and how if outcomes are given.
func (l *lab) reached(p provisioning.Profile, outcomes ...provisioning.Outcome) provisioning.Account {
	l.Helper()
	a := l.account(p)
	if !a.InSync() || a.ExternalID == "" || len(outcomes) > 0 && !slices.Contains(outcomes, a.Outcome) {
		l.Fatalf("the account is %s, outcome %q, id %q, kind %q (%s: %s); want it in sync, %v", a.State, a.Outcome, a.ExternalID, a.Kind, a.Field, a.Detail, outcomes)
	}
	return a
}

// mirrored checks that the system has exactly one account with the user's login:
// the one that is linked, theirs, with what the cases change. It returns it.
func (l *lab) mirrored(p provisioning.Profile) Account {
	l.Helper()
	found := l.system.Accounts(l.T, p.Login)
	if len(found) != 1 {
		l.Fatalf("the server has %d accounts %s, want 1: %+v", len(found), p.Login, found)
	}
	got, linked := found[0], l.account(p)
	if got.ID != linked.ExternalID {
		l.Errorf("the server's account has the id %s, the ledger %s", got.ID, linked.ExternalID)
	}
	if l.claims() && got.Owner != string(p.ID) {
		l.Errorf("the account says it is %q's, want %q's", got.Owner, p.ID)
	}
	for _, name := range []string{l.server.Changes, l.server.Clears} {
		if want := *l.field(&p, name); got.Values[name] != want {
			l.Errorf("%s = %q, want %q", name, got.Values[name], want)
		}
	}
	return got
}

// untouched checks that the server has with the login what it had before.
func (l *lab) untouched(login string, before []Account) {
	l.Helper()
	if diff := cmp.Diff(before, l.system.Accounts(l.T, login)); diff != "" {
		l.Errorf("what was there changed (-before +after):\n%s", diff)
	}
}

// sent checks how many requests of the kinds in op a step made.
func (l *lab) sent(op Op, want int, step func()) {
	l.Helper()
	before := l.link.Count(op)
	step()
	if got := l.link.Count(op) - before; got != want {
		l.Errorf("%d requests that %s, want %d", got, what(op), want)
	}
}

func what(op Op) string {
	switch op {
	case Create:
		return "create"
	case Write:
		return "change something"
	case Token:
		return "ask for a token"
	default:
		return "concern accounts"
	}
}

// created makes the user's account and returns the user.
func (l *lab) created() provisioning.Profile {
	l.Helper()
	p := l.person()
	l.want(p)
	l.settle()
	l.reached(p, provisioning.OutcomeCreated)
	return p
}

// stranger makes an account with the user's login, of the given owner.
func (l *lab) stranger(p provisioning.Profile, owner string) string {
	l.Helper()
	values := map[string]string{l.server.Changes: "Older", l.server.Clears: *l.field(&p, l.server.Clears)}
	return l.system.Put(l.T, Account{Login: p.Login, Owner: owner, Active: true, Values: values})
}
