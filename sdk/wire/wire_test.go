package wire

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func TestEveryVerbRoundTrips(t *testing.T) {
	active := true
	ada := sdk.Account{ID: "1", Attributes: sdk.Attributes{"name": "ada"}, Active: &active, Version: `"v1"`}
	op := sdk.Operation{ID: "op", Attempt: 2, Dialog: true}
	var got any
	target := &fullTarget{
		fakeTarget: fakeTarget{
			lookup: func(_ context.Context, r sdk.LookupRequest) ([]sdk.Account, error) {
				got = r
				return []sdk.Account{ada, ada}, nil
			},
			create: func(_ context.Context, r sdk.CreateRequest) (sdk.Account, error) { got = r; return ada, nil },
			update: func(_ context.Context, r sdk.UpdateRequest) (sdk.Account, error) { got = r; return ada, nil },
		},
		get:       func(_ context.Context, r sdk.GetRequest) (sdk.Account, error) { got = r; return ada, nil },
		setActive: func(_ context.Context, r sdk.SetActiveRequest) (sdk.Account, error) { got = r; return ada, nil },
		delete:    func(_ context.Context, r sdk.DeleteRequest) error { got = r; return nil },
		setGroups: func(_ context.Context, r sdk.SetGroupsRequest) error { got = r; return nil },
		check: func(context.Context) ([]sdk.CheckStep, error) {
			return []sdk.CheckStep{{Name: "dns", Status: sdk.CheckPassed}}, nil
		},
	}
	remote := newFixture(t, connectorOf(target)).configured(t)
	ctx := soon(t)
	check := func(verb string, sent any, answer any, err error, want any) {
		t.Helper()
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("%s request (-want +got):\n%s", verb, diff)
		}
		if diff := cmp.Diff(want, answer); err != nil || diff != "" {
			t.Errorf("%s answer: %v (-want +got):\n%s", verb, err, diff)
		}
	}
	lookup := sdk.LookupRequest{Key: "name", Value: "ada"}
	accounts, err := remote.Lookup(ctx, lookup)
	check("Lookup", lookup, accounts, err, []sdk.Account{ada, ada})
	create := sdk.CreateRequest{Operation: op, Attributes: ada.Attributes, Active: true}
	a, err := remote.Create(ctx, create)
	check("Create", create, a, err, ada)
	update := sdk.UpdateRequest{Operation: op, ID: "1", Version: "v", Set: ada.Attributes, Clear: []string{"title"}}
	a, err = remote.Update(ctx, update)
	check("Update", update, a, err, ada)
	get := sdk.GetRequest{ID: "1"}
	a, err = remote.Get(ctx, get)
	check("Get", get, a, err, ada)
	suspend := sdk.SetActiveRequest{Operation: op, ID: "1", Active: true}
	a, err = remote.SetActive(ctx, suspend)
	check("SetActive", suspend, a, err, ada)
	del := sdk.DeleteRequest{Operation: op, ID: "1"}
	check("Delete", del, nil, remote.Delete(ctx, del), nil)
	if got != any(del) {
		t.Errorf("Delete request %v, want %v", got, del)
	}
	groups := sdk.SetGroupsRequest{Operation: op, ID: "1", Groups: []string{"a", "b"}}
	if err := remote.SetGroups(ctx, groups); err != nil {
		t.Errorf("SetGroups: %v", err)
	}
	check("SetGroups", groups, nil, nil, nil)
	steps, err := remote.Check(ctx)
	check("Check", groups, steps, err, []sdk.CheckStep{{Name: "dns", Status: sdk.CheckPassed}})
}

func TestDescribeAndValidate(t *testing.T) {
	c := connectorOf(&fullTarget{})
	f := newFixture(t, c)
	d, err := f.Describe(soon(t))
	if diff := cmp.Diff(c.Describe(), d); err != nil || diff != "" {
		t.Errorf("Describe: %v (-want +got):\n%s", err, diff)
	}
	bad := sdk.RawConfig{Values: []byte(`{"colour":"red"}`)}
	problems, err := f.Validate(soon(t), bad)
	if diff := cmp.Diff(c.Validate(bad), problems); err != nil || diff != "" || len(problems) != 2 {
		t.Errorf("Validate: %v (-want +got):\n%s", err, diff)
	}
	problems, err = f.Validate(soon(t), goodConfig)
	if err != nil || len(problems) != 0 {
		t.Errorf("Validate of a good configuration = %v, %v", problems, err)
	}
}

func TestConfigureDeliversSecretsAndRefusesABadConfiguration(t *testing.T) {
	got := make(chan fakeConfig, 1)
	f := newFixture(t, sdk.Define("fake", "1.0.0", func(_ context.Context, c fakeConfig) (*fakeTarget, error) {
		got <- c
		return &fakeTarget{}, nil
	}))
	cfg := sdk.RawConfig{Values: []byte(`{"url":"u"}`), Secrets: map[string]sdk.Secret{"token": "hunter2"}}
	if err := f.Configure(soon(t), Instance{ID: "one", Generation: 1}, cfg); err != nil {
		t.Fatal(err)
	}
	if c := <-got; c.Token.Reveal() != "hunter2" || c.URL != "u" {
		t.Errorf("the author got %+v", c)
	}
	cfg.Values = []byte(`{"url":"u","token":"hunter2"}`)
	err := f.Configure(soon(t), Instance{ID: "one", Generation: 2}, cfg)
	checkError(t, err, sdk.KindInvalid, sdk.EffectNone)
	if e := sdk.AsError(err); e.Field != "token" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v, want one about field token that keeps the secret", err)
	}
	checkError(t, f.Configure(soon(t), Instance{}, goodConfig), sdk.KindInvalid, sdk.EffectNone)
}

func TestConnectorsErrorsArriveAsTheyAre(t *testing.T) {
	say := &sdk.Error{Kind: sdk.KindRateLimited, Effect: sdk.EffectNone, Message: "slow", Field: "mail", RetryAfter: time.Minute}
	target := &fakeTarget{
		create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{}, say },
		lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
			return nil, sdk.OutcomeUnknown(io.EOF)
		},
		update: func(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
			return sdk.Account{}, errors.New("dial with hunter2")
		},
	}
	f := newFixture(t, connectorOf(target))
	remote := f.configured(t)
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	if diff := cmp.Diff(say, sdk.AsError(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = remote.Lookup(soon(t), sdk.LookupRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone) // a read has no outcome
	_, err = remote.Update(soon(t), sdk.UpdateRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
	if strings.Contains(err.Error(), "hunter2") || !strings.Contains(f.log.String(), "hunter2") {
		t.Errorf("a cause belongs in the connector's log alone: error %v, log %q", err, f.log)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	target := &fakeTarget{
		create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { panic("hunter2") },
		lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
			var nobody *sdk.Account
			return []sdk.Account{*nobody}, nil
		},
	}
	f := newFixture(t, connectorOf(target))
	remote := f.configured(t)
	for range 2 { // the process survives
		_, err := remote.Create(soon(t), sdk.CreateRequest{})
		checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the panic's text crossed: %v", err)
		}
		_, err = remote.Lookup(soon(t), sdk.LookupRequest{})
		checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	}
	if log := f.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, "wire_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log)
	}
}

func TestCallsWithoutDeadlineAreRefused(t *testing.T) {
	called := false
	target := &fullTarget{
		fakeTarget: fakeTarget{create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) {
			called = true
			return sdk.Account{ID: "1"}, nil
		}},
		list: func(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] {
			called = true
			return func(func(sdk.Account, error) bool) {}
		},
	}
	remote := newFixture(t, connectorOf(target)).configured(t)
	_, err := remote.Create(t.Context(), sdk.CreateRequest{})
	checkError(t, err, sdk.KindInvalid, sdk.EffectNone)
	for _, err := range remote.List(t.Context(), sdk.ListRequest{}) {
		checkError(t, err, sdk.KindInvalid, sdk.EffectNone)
	}
	if called {
		t.Error("the author's code ran without a deadline")
	}
}

func TestAccountsNeedAnID(t *testing.T) {
	target := &fakeTarget{
		lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
			return []sdk.Account{{ID: "1"}, {}}, nil
		},
		create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{}, nil },
		update: func(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
			return sdk.Account{ID: "1", Attributes: sdk.Attributes{"photo": "\xff"}}, nil
		},
	}
	remote := newFixture(t, connectorOf(target)).configured(t)
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
	_, err = remote.Lookup(soon(t), sdk.LookupRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	_, err = remote.Update(soon(t), sdk.UpdateRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
	if !strings.Contains(err.Error(), "photo") {
		t.Errorf("error %v does not name the attribute", err)
	}
}

func TestUnsupportedVerbs(t *testing.T) {
	remote := newFixture(t, connectorOf(&fakeTarget{})).configured(t)
	ctx := soon(t)
	_, err := remote.Get(ctx, sdk.GetRequest{ID: "1"})
	checkError(t, err, sdk.KindUnsupported, sdk.EffectNone)
	_, err = remote.SetActive(ctx, sdk.SetActiveRequest{ID: "1"})
	checkError(t, err, sdk.KindUnsupported, sdk.EffectNone)
	_, err = remote.Check(ctx)
	checkError(t, err, sdk.KindUnsupported, sdk.EffectNone)
	checkError(t, remote.Delete(ctx, sdk.DeleteRequest{ID: "1"}), sdk.KindUnsupported, sdk.EffectNone)
	checkError(t, remote.SetGroups(ctx, sdk.SetGroupsRequest{ID: "1"}), sdk.KindUnsupported, sdk.EffectNone)
	n := 0
	for _, err := range remote.List(ctx, sdk.ListRequest{}) {
		n++
		checkError(t, err, sdk.KindUnsupported, sdk.EffectNone)
	}
	if n != 1 {
		t.Errorf("List yielded %d times, want one error", n)
	}
}

func TestListStreams(t *testing.T) {
	ended := make(chan struct{})
	target := &fullTarget{list: func(_ context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
		return func(yield func(sdk.Account, error) bool) {
			defer close(ended)
			for _, id := range []string{"1", "2"} {
				if !yield(sdk.Account{ID: id, Attributes: sdk.Attributes{"size": float64(req.PageSize)}}, nil) {
					return
				}
			}
			yield(sdk.Account{}, sdk.RateLimited(time.Minute))
		}
	}}
	remote := newFixture(t, connectorOf(target)).configured(t)
	var ids []string
	var last error
	for a, err := range remote.List(soon(t), sdk.ListRequest{PageSize: 5}) {
		if last = err; err == nil {
			ids = append(ids, a.ID)
			if a.Attributes["size"] != 5.0 {
				t.Errorf("page size %v did not arrive", a.Attributes["size"])
			}
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, ids); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	checkError(t, last, sdk.KindRateLimited, sdk.EffectNone)
	wait(t, "the end of the list", ended)
}

func TestListEndsWithTheLoop(t *testing.T) {
	ended := make(chan struct{})
	target := &fullTarget{list: func(ctx context.Context, _ sdk.ListRequest) iter.Seq2[sdk.Account, error] {
		return func(yield func(sdk.Account, error) bool) {
			defer close(ended)
			if yield(sdk.Account{ID: "1"}, nil) {
				<-ctx.Done()
			}
		}
	}}
	remote := newFixture(t, connectorOf(target)).configured(t)
	for range remote.List(soon(t), sdk.ListRequest{}) {
		break
	}
	wait(t, "the author's cancellation", ended)
}

func TestCancelReachesTheAuthor(t *testing.T) {
	entered, cancelled := make(chan struct{}), make(chan struct{})
	target := &fakeTarget{create: func(ctx context.Context, _ sdk.CreateRequest) (sdk.Account, error) {
		close(entered)
		<-ctx.Done()
		close(cancelled)
		return sdk.Account{}, ctx.Err()
	}}
	remote := newFixture(t, connectorOf(target)).configured(t)
	ctx, cancel := context.WithCancel(soon(t))
	go func() {
		<-entered
		cancel()
	}()
	_, err := remote.Create(ctx, sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	wait(t, "the cancellation", cancelled)
}

// TestAuthorsDeadline shows what becomes of a target that is too slow: the
// author just returns the context's error.
func TestAuthorsDeadline(t *testing.T) {
	late := context.DeadlineExceeded
	target := &fakeTarget{
		create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{}, late },
		lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return nil, late },
	}
	remote := newFixture(t, connectorOf(target)).configured(t)
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	_, err = remote.Lookup(soon(t), sdk.LookupRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
}

// silent is a connector that answers success without an outcome, as one of a
// later protocol might.
type silent struct {
	connectorv1.UnimplementedConnectorServer
}

func (silent) Create(context.Context, *connectorv1.CreateRequest) (*connectorv1.CreateResponse, error) {
	return &connectorv1.CreateResponse{}, nil
}
func (silent) Delete(context.Context, *connectorv1.DeleteRequest) (*connectorv1.DeleteResponse, error) {
	return &connectorv1.DeleteResponse{}, nil
}
func (silent) Get(context.Context, *connectorv1.GetRequest) (*connectorv1.GetResponse, error) {
	return nil, status.Error(codes.NotFound, "not in our words")
}

func TestNoOutcomeIsNoSuccess(t *testing.T) {
	remote := NewClient(overMemory(t, silent{})).Remote(Instance{ID: "one"})
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectUnknown)
	checkError(t, remote.Delete(soon(t), sdk.DeleteRequest{}), sdk.KindInternal, sdk.EffectUnknown)
	_, err = remote.Get(soon(t), sdk.GetRequest{})
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
	checkError(t, remote.SetGroups(soon(t), sdk.SetGroupsRequest{}), sdk.KindUnsupported, sdk.EffectNone)
}

func TestUnsendableRequestsNeverLeave(t *testing.T) {
	remote := newFixture(t, connectorOf(&fakeTarget{})).configured(t)
	_, err := remote.Create(soon(t), sdk.CreateRequest{Attributes: sdk.Attributes{"password": sdk.Secret("hunter2")}})
	checkError(t, err, sdk.KindInvalid, sdk.EffectNone)
	if e := sdk.AsError(err); e.Field != "password" {
		t.Errorf("field %q, want password", e.Field)
	}
	_, err = remote.Update(soon(t), sdk.UpdateRequest{Set: sdk.Attributes{"a": make(chan int)}})
	checkError(t, err, sdk.KindInvalid, sdk.EffectNone)
	_, err = remote.Update(soon(t), sdk.UpdateRequest{ID: "\xff"})
	checkError(t, err, sdk.KindInternal, sdk.EffectNone)
}
