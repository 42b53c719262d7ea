package plugins

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// nodeBench is a host with the example connector in Node, started as any other:
// clean environment, AutoMTLS, pinned.
func nodeBench(t *testing.T) *bench {
	t.Helper()
	long(t)
	program, err := os.ReadFile(peers.BuildConnector(t, "acme"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, nil)
	if err := os.WriteFile(b.file("acme"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	b.pins.set(Pin{Name: "acme", Digest: digestOf(t, b.file("acme"))})
	return b
}

// restTarget is what the example connector writes to. answer may take a request
// over; it is called for every one.
type restTarget struct {
	mu     sync.Mutex
	users  map[string]map[string]any
	answer func(w http.ResponseWriter, r *http.Request) (taken bool)
}

func startREST(t *testing.T, answer func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	r := &restTarget{users: map[string]map[string]any{}, answer: answer}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL
}

func (s *restTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if s.answer != nil && s.answer(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(r.URL.Path, "/users/")
	user, known := s.users[id]
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/users":
		s.search(w, r)
	case r.Method == http.MethodPost:
		user = map[string]any{}
		_ = json.Unmarshal(body, &user)
		user["id"] = strconv.Itoa(len(s.users) + 1)
		s.users[user["id"].(string)] = user
		_ = json.NewEncoder(w).Encode(user)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(s.users, id)
	default:
		_ = json.Unmarshal(body, &user)
		_ = json.NewEncoder(w).Encode(user)
	}
}

func (s *restTarget) search(w http.ResponseWriter, r *http.Request) {
	found := []any{}
	for _, u := range s.users {
		for key, values := range r.URL.Query() {
			if u[key] == values[0] {
				found = append(found, u)
			}
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"users": found})
}

func nodeTarget(baseURL string) InstanceConfig {
	values, _ := json.Marshal(map[string]string{"base_url": baseURL})
	return InstanceConfig{Instance: "acme", Generation: 1, Connector: "acme",
		Config: sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"token": token}}}
}

// TestNodeConnector shows that the protocol does not need Go: verbs, values,
// optional verbs, the end of the process.
//
// It is trap 22 of docs/connector-traps.md.
func TestNodeConnector(t *testing.T) {
	b := nodeBench(t)
	c := b.open(t, nodeTarget(startREST(t, nil)))
	d := c.Description()
	want := []sdk.Capability{sdk.CapabilityGet, sdk.CapabilitySetActive, sdk.CapabilityDelete, sdk.CapabilityCheck}
	if diff := cmp.Diff(want, d.Capabilities); diff != "" || d.Name != "acme" || len(d.Attributes) != 4 || !d.Attributes[0].Owner {
		t.Errorf("Description = %+v (-want +got):\n%s", d, diff)
	}
	ctx := t.Context()
	created, err := c.Target().Create(ctx, sdk.CreateRequest{
		Operation:  sdk.Operation{ID: "op-1", Attempt: 1},
		Attributes: sdk.Attributes{"external_id": "u1", "login": "ada", "email": "ada@example.com", "name": "Ada ☕"}, Active: true,
	})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	updated, err := c.Target().Update(ctx, sdk.UpdateRequest{ID: created.ID, Set: sdk.Attributes{"name": "Countess"}, Clear: []string{"email"}})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	off, err := c.ActiveSetter().SetActive(ctx, sdk.SetActiveRequest{ID: created.ID})
	if err != nil || off.Active == nil || *off.Active {
		t.Errorf("SetActive = %+v, %v; want it suspended", off, err)
	}
	found, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "login", Value: "ada"})
	active := false
	account := sdk.Account{ID: created.ID, Active: &active, Attributes: sdk.Attributes{
		"external_id": "u1", "login": "ada", "email": nil, "name": "Countess"}}
	if diff := cmp.Diff([]sdk.Account{account}, found); err != nil || diff != "" {
		t.Errorf("Lookup: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(account.Attributes, updated.Attributes); diff != "" {
		t.Errorf("Update (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := c.Deleter().Delete(ctx, sdk.DeleteRequest{ID: created.ID}); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := c.Getter().Get(ctx, sdk.GetRequest{ID: created.ID}); sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("Get of a deleted account: %v", err)
	}
	if steps, err := c.Checker().Check(ctx); err != nil || len(steps) != 1 || steps[0].Status != sdk.CheckPassed {
		t.Errorf("Check = %+v, %v", steps, err)
	}
}

// TestNodeConnectorFailures shows that kinds, effects and delays of another
// language's connector arrive.
func TestNodeConnectorFailures(t *testing.T) {
	b := nodeBench(t)
	gone := make(chan struct{}, 1)
	url := startREST(t, func(w http.ResponseWriter, r *http.Request) bool {
		fault, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/users/fault-"), "/")
		switch status, err := strconv.Atoi(fault); {
		case err == nil:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		case fault == "lost":
			panic(http.ErrAbortHandler)
		case fault == "hang":
			<-r.Context().Done()
			gone <- struct{}{}
		default:
			return false
		}
		return true
	})
	c := b.open(t, nodeTarget(url))
	update := func(ctx context.Context, fault string) *sdk.Error {
		_, err := c.Target().Update(ctx, sdk.UpdateRequest{ID: "fault-" + fault, Set: sdk.Attributes{"name": "x"}})
		return sdk.AsError(err)
	}
	for fault, want := range map[string]sdk.Error{
		"401": {Kind: sdk.KindUnauthorized, Effect: sdk.EffectNone}, "403": {Kind: sdk.KindForbidden, Effect: sdk.EffectNone},
		"404": {Kind: sdk.KindNotFound, Effect: sdk.EffectNone}, "409": {Kind: sdk.KindConflict, Effect: sdk.EffectNone},
		"422": {Kind: sdk.KindInvalid, Effect: sdk.EffectNone}, "402": {Kind: sdk.KindQuota, Effect: sdk.EffectNone},
		"429": {Kind: sdk.KindRateLimited, Effect: sdk.EffectNone, RetryAfter: 7 * time.Second},
		"500": {Kind: sdk.KindTransient, Effect: sdk.EffectUnknown}, "503": {Kind: sdk.KindTransient, Effect: sdk.EffectNone, RetryAfter: 7 * time.Second},
		"lost": {Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown},
	} {
		got := update(t.Context(), fault)
		if got == nil || got.Kind != want.Kind || got.Effect != want.Effect || want.RetryAfter != 0 && got.RetryAfter != want.RetryAfter {
			t.Errorf("%s: %+v, want %+v", fault, got, want)
		}
		if got != nil && (got.Message == "" || strings.Contains(got.Message, token)) {
			t.Errorf("%s: message %q", fault, got.Message)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got := update(ctx, "hang"); got == nil || got.Kind != sdk.KindOutcomeUnknown || got.Effect != sdk.EffectUnknown {
		t.Errorf("a write beyond its deadline: %+v, want its outcome unknown", got)
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the end of the call did not reach the target")
	}
	problems, err := b.Validate(t.Context(), "acme", sdk.RawConfig{Values: []byte(`{"base_url":"ftp://x","colour":"red"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sdk.Problem{{Field: "token", Message: "is required"}, {Field: "colour", Message: "is not a field of this connector"}}, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestNodeConnectorIsStartedAgain kills the process: the next call is answered
// by a new one, which the host configures again because it says that it has no
// such instance.
func TestNodeConnectorIsStartedAgain(t *testing.T) {
	b := nodeBench(t)
	began := time.Now()
	c := b.open(t, nodeTarget(startREST(t, nil)))
	lookup := func() error {
		_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "login", Value: "ada"})
		return err
	}
	if err := lookup(); err != nil {
		t.Fatal(err)
	}
	t.Logf("from nothing to the first answer: %s", time.Since(began).Round(time.Millisecond))
	c.program.mu.Lock()
	p := c.program.current
	c.program.mu.Unlock()
	pid := regexp.MustCompile(`"connector ready".* pid=(\d+)`).FindStringSubmatch(b.log.String())
	if pid == nil {
		t.Fatalf("no process is ready:\n%s", b.log)
	}
	number, err := strconv.Atoi(pid[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.buried
	if err := lookup(); err != nil {
		t.Errorf("the call after the crash: %v", err)
	}
	if n := strings.Count(b.log.String(), "connector ready"); n != 2 {
		t.Errorf("%d processes were ready, want 2:\n%s", n, b.log)
	}
}

// TestNodeConnectorLetsNobodyElseIn connects to its socket as somebody who can
// reach it but is not the host.
func TestNodeConnectorLetsNobodyElseIn(t *testing.T) {
	b := nodeBench(t)
	c := b.open(t, nodeTarget(startREST(t, nil)))
	if _, err := c.Getter().Get(t.Context(), sdk.GetRequest{ID: "nobody"}); sdk.KindOf(err) != sdk.KindNotFound {
		t.Fatalf("the host itself: %v", err)
	}
	sockets, err := filepath.Glob(filepath.Join(b.Host.dir.Path(), "*", "connector-*"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets: %v, %v", sockets, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, theirs := range map[string]credentials.TransportCredentials{
		"without TLS":         insecure.NewCredentials(),
		"without certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
		"with their own": credentials.NewTLS(&tls.Config{
			InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}),
	} {
		cc, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(theirs))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if d, err := wire.NewClient(cc).Describe(ctx); err == nil {
			t.Errorf("%s: somebody else was answered: %+v", name, d)
		} else if ctx.Err() != nil {
			t.Errorf("%s: neither refused nor answered: %v", name, err)
		}
		cancel()
		_ = cc.Close()
	}
}
