package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// office is a whole system whose folder of connectors holds packages of scim2.
type office struct {
	*System
	t      *testing.T
	config config.Config
	binary string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, binary: filepath.Join(dir, "built", "anteroom-connector-scim2"), config: config.Config{
		Issuer: "http://127.0.0.1:1", Database: sdk.Secret("sqlite://" + filepath.Join(dir, "db")),
		ConnectorsDir: filepath.Join(dir, "connectors"), SecretsKeyFile: filepath.Join(dir, "keys.json"),
	}}
	writeConnector(t, o.binary)
	o.must(os.Mkdir(o.config.ConnectorsDir, 0o755))
	o.must(keys.CreateKeysetFile(o.config.SecretsKeyFile))
	o.open()
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) open() {
	o.t.Helper()
	s, err := Open(o.t.Context(), o.config, slog.New(slog.NewTextHandler(o.t.Output(), nil)))
	o.must(err)
	o.System = s
	o.t.Cleanup(func() { o.must(s.Close()) })
}

// install packages the binary as it is now and installs it.
func (o *office) install() catalog.Entry {
	o.t.Helper()
	var packed bytes.Buffer
	_, err := Package{Program: o.binary, Licence: "MIT", Egress: []catalog.Egress{{Host: "*", Ports: []int{443}}}}.
		Write(o.t.Context(), &packed, slog.New(slog.DiscardHandler))
	o.must(err)
	path := filepath.Join(o.t.TempDir(), "scim2.tgz")
	o.must(os.WriteFile(path, packed.Bytes(), 0o600))
	e, err := o.InstallConnector(path)
	o.must(err)
	return e
}

func (o *office) review(digest string) Review {
	o.t.Helper()
	r, err := o.ReviewConnector(o.t.Context(), "scim2", digest)
	o.must(err)
	return r
}

func (o *office) putTarget(name, values string) {
	o.t.Helper()
	_, err := o.Targets.Put(o.t.Context(), provisioning.Target{Name: provisioning.TargetName(name), Connector: "scim2",
		Config: json.RawMessage(values), Secrets: map[string]sdk.Secret{"token": "a-token"}}, time.Now())
	o.must(err)
}

func TestReviewSaysWhatANewVersionMeans(t *testing.T) {
	o := newOffice(t)
	one := o.install()
	first := o.review("")
	if first.Digest != one.Digest || first.Replaces != nil || first.Changes != nil || first.Licence != "MIT" || first.Egress[0].String() != "*:443" {
		t.Errorf("the first review: %+v", first)
	}
	// What was approved had a field less and one more, could do more, and is gone.
	old := plugins.Pin{Name: "scim2", Digest: strings.Repeat("1", 64), Description: first.Description, PinnedAt: time.UnixMicro(1).UTC(), PinnedBy: "ada@laptop"}
	old.Description.Version = "0.9.0"
	old.Description.Config = append([]sdk.Field{{Name: "tenant", Type: sdk.FieldString}}, first.Config[1:]...)
	old.Description.Capabilities = append([]sdk.Capability{"set_groups"}, first.Capabilities...)
	o.must(o.Pins.Put(t.Context(), old))
	o.putTarget("good", `{"base_url":"https://good.example/scim/v2","auth":"bearer"}`)
	o.putTarget("bad", `{"tenant":"x"}`)
	r := o.review("")
	if r.Replaces == nil || *r.Replaces != (Replaced{"0.9.0", old.Digest, old.PinnedAt, old.PinnedBy}) {
		t.Errorf("Replaces = %+v", r.Replaces)
	}
	want := []catalog.Change{
		{What: "config " + first.Config[0].Name, Text: "added, string, required", Breaks: true},
		{What: "config tenant", Text: "removed", Breaks: true},
	}
	if first.Has(sdk.CapabilitySetGroups) {
		t.Log("scim2 can set groups by now")
	} else {
		want = append(want, catalog.Change{What: "capability set_groups", Text: "removed", Breaks: true})
	}
	if diff := cmp.Diff(want, r.Changes); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]provisioning.TargetName{"bad"}, r.Broken()); diff != "" || len(r.Targets) != 2 {
		t.Errorf("Broken (-want +got):\n%s%+v", diff, r.Targets)
	}
	fields := map[string]bool{}
	for _, target := range r.Targets {
		for _, p := range target.Problems {
			fields[p.Path] = true
		}
	}
	if !fields["config.tenant"] || !fields["config.base_url"] {
		t.Errorf("problems name %v, want the unknown and the missing field", fields)
	}
}

func TestPinRollBackAndHistory(t *testing.T) {
	o := newOffice(t)
	ctx := audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindCommand, Name: "eve"}, "REF")
	one := o.install()
	upgrade(t, o.binary)
	two := o.install()
	if _, err := o.ReviewConnector(ctx, "scim2", ""); err == nil || !strings.Contains(err.Error(), one.Digest) || !strings.Contains(err.Error(), two.Digest) {
		t.Errorf("two wait for approval: %v, want both named", err)
	}
	if _, err := o.RollBackConnector(ctx, "scim2", "ada"); !errors.Is(err, ErrNoEarlierPin) {
		t.Errorf("roll back to nothing = %v", err)
	}
	o.must(o.Approve(ctx, o.review(one.Digest), "ada"))
	if _, err := o.RollBackConnector(ctx, "scim2", "ada"); !errors.Is(err, ErrNoEarlierPin) {
		t.Errorf("roll back of the first pin = %v", err)
	}
	o.must(o.Approve(ctx, o.review("sha256:"+two.Digest), "bob")) // the one that waits
	states := func() map[string]string {
		t.Helper()
		list, err := o.Connectors(ctx)
		o.must(err)
		out := map[string]string{}
		for _, c := range list {
			out[c.Digest] = c.State
		}
		return out
	}
	if diff := cmp.Diff(map[string]string{one.Digest: "pinned before", two.Digest: "pinned"}, states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	r, err := o.RollBackConnector(ctx, "scim2", "eve")
	o.must(err)
	if r.Digest != one.Digest || r.Replaces.Digest != two.Digest || r.Replaces.PinnedBy != "bob" {
		t.Errorf("RollBack = %s in place of %+v", r.Digest, r.Replaces)
	}
	past, err := o.Pins.History(ctx, "scim2")
	o.must(err)
	var got []string
	for _, e := range past {
		got = append(got, string(e.Action)+" "+e.Digest[:4]+" "+e.PinnedBy)
	}
	want := []string{"rollback " + one.Digest[:4] + " eve", "pin " + two.Digest[:4] + " bob", "pin " + one.Digest[:4] + " ada"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	// What is no longer there cannot be gone back to.
	o.must(os.RemoveAll(filepath.Dir(two.Path)))
	if _, err := o.RollBackConnector(ctx, "scim2", "eve"); !errors.Is(err, plugins.ErrNotFound) {
		t.Errorf("roll back to what was removed = %v", err)
	}
	if pin, err := o.Pins.Pin(ctx, "scim2"); err != nil || pin.Digest != one.Digest {
		t.Errorf("the pin after it = %s, %v, want it as it was", pin.Digest, err)
	}
}

func TestLockDecidesInPlaceOfPins(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	e := o.install()
	o.must(o.Approve(ctx, o.review(""), "ada"))
	lock, err := o.LockConnectors(ctx)
	o.must(err)
	path := filepath.Join(t.TempDir(), "connectors.lock")
	use := func(l catalog.Lock) error {
		t.Helper()
		o.must(os.WriteFile(path, l.Text(), 0o600))
		o.config.ConnectorsLock = path
		o.open()
		return o.VerifyLock(ctx)
	}
	if err := use(lock); err != nil {
		t.Errorf("what was locked: %v", err)
	}
	if pin, err := o.approvals.Pin(ctx, "scim2"); err != nil || pin.Digest != e.Digest || pin.Version != e.Meta.Version {
		t.Errorf("approval = %+v, %v", pin, err)
	}
	lies := map[string]func(*catalog.Locked){
		"version 9.9.9 was approved, it says " + e.Meta.Version: func(l *catalog.Locked) { l.Version = "9.9.9" },
		"another schema was approved":                           func(l *catalog.Locked) { l.SchemaDigest = strings.Repeat("0", 64) },
		"connector not found":                                   func(l *catalog.Locked) { l.Digest = strings.Repeat("0", 64) },
	}
	for want, lie := range lies {
		changed := lock.Connectors[0]
		lie(&changed)
		if err := use(catalog.NewLock([]catalog.Locked{changed})); err == nil || !strings.Contains(err.Error(), "connectors.lock: scim2") || !strings.Contains(err.Error(), want) {
			t.Errorf("VerifyLock = %v, want %q", err, want)
		}
	}
	if err := use(catalog.NewLock(nil)); err != nil {
		t.Errorf("an empty lock: %v", err)
	}
	if _, err := o.approvals.Pin(ctx, "scim2"); !errors.Is(err, plugins.ErrNotPinned) || !strings.Contains(err.Error(), path) {
		t.Errorf("what is not locked: %v, though it is pinned", err)
	}
}

// What a server reports, commands on the same database see, until it ends.
func TestReports(t *testing.T) {
	o := newOffice(t)
	o.install()
	o.must(o.Approve(t.Context(), o.review(""), "ada"))
	o.putTarget("directory", `{"base_url":"https://good.example/scim/v2","auth":"bearer"}`)
	target, err := o.Targets.Get(t.Context(), "directory")
	o.must(err)
	_, err = o.connections.connect(t.Context(), target)
	o.must(err)
	stored := o.report(t.Context(), store.ConnectorReport{})
	if again := o.report(t.Context(), stored); !again.At.Equal(stored.At) {
		t.Error("an unchanged state was stored again at once")
	}
	list, err := o.Connectors(t.Context())
	o.must(err)
	if len(list) != 1 || len(list[0].Processes) != 1 || list[0].Processes[0].Instance != o.owner || list[0].Processes[0].Instances != 1 {
		t.Fatalf("Connectors = %+v", list)
	}
	o.endReports(context.Background())
	if list, err = o.Connectors(t.Context()); err != nil || list[0].Processes != nil {
		t.Errorf("after the end: %+v, %v", list, err)
	}
}
