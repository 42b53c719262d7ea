package ldap_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/tcpproxy"
)

const (
	deadline = 300 * time.Millisecond
	slack    = 100 * time.Millisecond
)

// verbs are a read and a write.
func verbs(target *ldap.Target) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"lookup": func(ctx context.Context) error {
			_, err := target.Lookup(ctx, sdk.LookupRequest{Key: "login", Value: "ada"})
			return err
		},
		"create": func(ctx context.Context) error {
			_, err := target.Create(ctx, sdk.CreateRequest{Attributes: person("ada"), Active: true})
			return err
		},
		"list": func(ctx context.Context) error {
			for _, err := range target.List(ctx, sdk.ListRequest{}) {
				return err
			}
			return nil
		},
	}
}

// wantInTime checks that a verb gives up at its deadline, or when it is told to.
func wantInTime(t *testing.T, verb func(context.Context) error, cancelled bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	if cancelled {
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(deadline, cancel)
	}
	defer cancel()
	begin := time.Now()
	late := make(chan time.Duration, 1) // of this machine
	time.AfterFunc(deadline, func() { late <- time.Since(begin) - deadline })
	err := verb(ctx)
	if took := time.Since(begin); took < deadline-slack || took > deadline+slack+<-late {
		t.Errorf("it took %s, want %s", took, deadline)
	}
	return err
}

// TestDeadlines has a directory fall silent at every stage.
func TestDeadlines(t *testing.T) {
	stages := map[string]struct {
		start func(t *testing.T) ldap.Config
		// sent is set where a write has gone out by then.
		sent bool
	}{
		"StartTLS": {func(t *testing.T) ldap.Config {
			cfg := startFake(t, &fake{}).to()
			cfg.StartTLS = true
			return cfg
		}, false},
		"handshake": {func(t *testing.T) ldap.Config {
			listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			cfg := startFake(t, &fake{}).to()
			cfg.URL = "ldaps://" + listener.Addr().String()
			return cfg
		}, false},
		"bind":    {func(t *testing.T) ldap.Config { return startFake(t, &fake{silent: true}).to() }, false},
		"request": {func(t *testing.T) ldap.Config { return startFake(t, &fake{}).to() }, true},
	}
	for name, stage := range stages {
		for _, cancelled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/cancelled=%t", name, cancelled), func(t *testing.T) {
				t.Parallel()
				for verb, run := range verbs(open(t, stage.start(t))) {
					t.Run(verb, func(t *testing.T) {
						t.Parallel()
						err := wantInTime(t, run, cancelled)
						if stage.sent && verb == "create" {
							wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "")
							return
						}
						wantKind(t, err, sdk.KindTransient, sdk.EffectNone, "")
					})
				}
			})
		}
	}
}

// TestDeadlineWhileWaiting has all connections busy.
func TestDeadlineWhileWaiting(t *testing.T) {
	asked := make(chan struct{})
	f := startFake(t, &fake{answer: func(request) { close(asked) }})
	cfg := f.to()
	cfg.Connections = 1
	target := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan error)
	go func() {
		_, err := target.Lookup(ctx, sdk.LookupRequest{Key: "login", Value: "ada"})
		busy <- err
	}()
	<-asked // the one connection is in use
	wantKind(t, wantInTime(t, verbs(target)["create"], false), sdk.KindTransient, sdk.EffectNone, "")
	cancel()
	wantKind(t, <-busy, sdk.KindTransient, sdk.EffectNone, "")
	if n := f.seen(goldap.ApplicationAddRequest); n != 0 {
		t.Errorf("%d adds were sent", n)
	}
}

// TestTimeoutOfTheConfiguration ends what has no deadline.
func TestTimeoutOfTheConfiguration(t *testing.T) {
	cfg := startFake(t, &fake{}).to()
	cfg.Timeout = deadline
	target := open(t, cfg)
	wantInTime(t, func(context.Context) error { return verbs(target)["lookup"](context.Background()) }, true)
}

// TestReconnects has a directory hang up between calls, as it does with idle
// clients and when it is restarted.
func TestReconnects(t *testing.T) {
	f := startFake(t, &fake{answer: func(r request) {
		if r.tag() == goldap.ApplicationSearchRequest {
			r.entry("uid=ada,"+ldapservers.People, someone(someID))
		}
		r.result(0, "")
	}})
	target := open(t, f.to())
	for i := range 5 {
		lookup(t, target, "login", "ada")
		create(t, target, person("ada"))
		if binds := f.seen(goldap.ApplicationBindRequest); binds != i+1 {
			t.Errorf("%d binds after %d rounds: one connection is to serve a round", binds, i+1)
		}
		f.hangUp()
	}
	if n := f.seen(goldap.ApplicationAddRequest); n != 5 {
		t.Errorf("%d adds for 5 creates", n)
	}
}

// TestForgottenBind has a directory that no longer knows who we are, as Active
// Directory says after it has dropped a session.
func TestForgottenBind(t *testing.T) {
	f := startFake(t, &fake{answer: func(r request) {
		if r.tag() == goldap.ApplicationAddRequest && r.n == 1 {
			r.result(1, "000004DC: LdapErr: a successful bind must be completed on the connection")
			return
		}
		if r.tag() == goldap.ApplicationSearchRequest {
			r.entry("uid=ada,"+ldapservers.People, someone(someID))
		}
		r.result(0, "")
	}})
	target := open(t, f.to())
	create(t, target, person("ada"))
	create(t, target, person("ada"))
	if binds, adds := f.seen(goldap.ApplicationBindRequest), f.seen(goldap.ApplicationAddRequest); binds != 2 || adds != 3 {
		t.Errorf("%d binds and %d adds, want 2 and 3", binds, adds)
	}
}

// TestStartTLSTakesNothingFromBefore has somebody on the way append an answer in
// the clear to the one to StartTLS.
func TestStartTLSTakesNothingFromBefore(t *testing.T) {
	f := startFake(t, &fake{answer: func(r request) {
		r.result(0, "") // to StartTLS
		r.Children[0].Value = int64(2)
		r.result(0, "") // to the bind that is to come
	}})
	cfg := f.to()
	cfg.StartTLS = true
	err := verbs(open(t, cfg))["lookup"](t.Context())
	wantKind(t, err, sdk.KindTransient, sdk.EffectNone, "")
	if n := f.seen(goldap.ApplicationBindRequest); n != 0 {
		t.Errorf("%d binds were sent in the clear", n)
	}
}

func TestStartTLSRefused(t *testing.T) {
	for code, kind := range map[uint16]sdk.Kind{2: sdk.KindUnauthorized, 52: sdk.KindTransient} {
		f := startFake(t, &fake{answer: func(r request) { r.result(code, "no") }})
		cfg := f.to()
		cfg.StartTLS = true
		err := verbs(open(t, cfg))["create"](t.Context())
		wantKind(t, err, kind, sdk.EffectNone, "start_tls")
		if n := f.seen(goldap.ApplicationBindRequest); n != 0 {
			t.Errorf("%d binds were sent in the clear", n)
		}
	}
}

// adds picks requests to make an entry.
func adds(message []byte) bool { return tagged(message, goldap.ApplicationAddRequest) }

func tagged(message []byte, tag ber.Tag) bool {
	p, err := ber.DecodePacketErr(message)
	return err == nil && len(p.Children) > 1 && p.Children[1].Tag == tag
}

// TestFaultsOfRealServer lets the network fail between the connector and a real
// directory.
func TestFaultsOfRealServer(t *testing.T) { onOpenLDAP(t, faultsOfRealServer) }

func faultsOfRealServer(t *testing.T, direct ldap.Config, s ldapservers.Server) {
	cfg, proxy := behind(t, direct, s)
	target := open(t, cfg)
	match := tcpproxy.Match(adds)
	if cfg.Profile == "ad" { // what is sent cannot be seen: an add is the first request of a create
		match = nil
	}
	for name, test := range map[string]struct {
		fault tcpproxy.Fault
		made  int
	}{
		"reply lost": {tcpproxy.DropReply(), 1}, "reset": {tcpproxy.Reset(), 0},
		"hang": {tcpproxy.Hang(), 0}, "reply hangs": {tcpproxy.HangReply(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			login := "f" + map[bool]string{true: "made", false: "none"}[test.made == 1] + name[:2]
			lookup(t, target, "login", login) // the connection is there, and bound
			proxy.Script(match, test.fault)
			err := wantWithin(t, func(ctx context.Context) error {
				_, err := target.Create(ctx, sdk.CreateRequest{Attributes: person(login), Active: true})
				return err
			})
			wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "")
			if found := lookup(t, target, "login", login); len(found) != test.made {
				t.Errorf("%d accounts were made, want %d", len(found), test.made)
			}
		})
	}
	t.Run("cut between calls", func(t *testing.T) {
		proxy.Cut() // whether a write just now was lost could not be told; a read is simply repeated
		lookup(t, target, "login", "nobody")
		create(t, target, person("after-cut"))
	})
	t.Run("refused", func(t *testing.T) {
		proxy.Refuse(true)
		proxy.Cut()
		for _, verb := range []string{"lookup", "create"} {
			wantKind(t, verbs(target)[verb](t.Context()), sdk.KindTransient, sdk.EffectNone, "")
		}
		proxy.Refuse(false)
		lookup(t, target, "login", "nobody")
	})
	t.Run("stopped", func(t *testing.T) {
		thaw := s.Freeze(t)
		for verb, run := range verbs(target) {
			err := wantInTime(t, run, false)
			if sdk.AsError(err) == nil {
				t.Errorf("%s: a stopped server answered", verb)
			}
		}
		thaw()
		lookup(t, target, "login", "nobody")
	})
}

// wantWithin ends what hangs.
func wantWithin(t *testing.T, verb func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return verb(ctx)
}
