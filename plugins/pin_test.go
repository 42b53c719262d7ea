package plugins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestUnpinnedIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.install(t, "good")
	_, err := b.Open(t.Context(), target("good"))
	if e := sdk.AsError(err); !errors.Is(err, ErrNotPinned) || e.Kind != sdk.KindInternal || e.Effect != sdk.EffectNone {
		t.Errorf("Open = %v, want ErrNotPinned", err)
	}
	if _, err := b.Validate(t.Context(), "good", sdk.RawConfig{}); !errors.Is(err, ErrNotPinned) {
		t.Errorf("Validate = %v, want ErrNotPinned", err)
	}
	b.pins.set(Pin{Name: "good"})
	if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrNotPinned) {
		t.Errorf("Open with a pin without digest = %v, want ErrNotPinned", err)
	}
	b.pins.err = errors.New("database is down")
	if _, err := b.Open(t.Context(), target("good")); err == nil || sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("Open without the store of pins = %v, want a failure that may pass", err)
	}
}

// TestChangedFileIsNotExecuted replaces the file by one that would leave a trace.
func TestChangedFileIsNotExecuted(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	pinned := b.pins.pins["good"].Digest
	trace := filepath.Join(t.TempDir(), "executed")
	_ = os.Remove(b.file("good"))
	if err := os.WriteFile(b.file("good"), []byte("#!/bin/sh\n: >"+trace+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := b.Open(t.Context(), target("good"))
	found := digestOf(t, b.file("good"))
	if !errors.Is(err, ErrDigestMismatch) || !strings.Contains(err.Error(), short(pinned)) || !strings.Contains(err.Error(), short(found)) {
		t.Errorf("Open = %v, want ErrDigestMismatch with both digests", err)
	}
	if e := sdk.AsError(err); e.Kind != sdk.KindInternal || e.Effect != sdk.EffectNone {
		t.Errorf("kind %s, effect %s", e.Kind, e.Effect)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the changed file was executed")
	}
}

// TestRestartRunsThePinnedBytes changes the file under a running connector.
//
// It is trap 10 of docs/connector-traps.md.
func TestRestartRunsThePinnedBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	trace := filepath.Join(t.TempDir(), "executed")
	_ = os.Remove(b.file("good"))
	if err := os.WriteFile(b.file("good"), []byte("#!/bin/sh\n: >"+trace+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = die(t.Context(), c)
	if next := ask(t, c, "x"); next == pid {
		t.Error("answered by a dead process")
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the file that was put there was executed")
	}
}

// TestWithdrawnPinStopsRestarts keeps an open connection from starting what is no
// longer approved.
func TestWithdrawnPinStopsRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	ask(t, c, "x")
	b.pins.withdraw("good")
	_ = die(t.Context(), c)
	_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
	if !errors.Is(err, ErrNotPinned) {
		t.Errorf("Lookup after the pin is gone = %v, want ErrNotPinned", err)
	}
}

func TestDevRunsWhatIsThere(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Dev = true }, "good")
	b.install(t, "lean")
	b.pins.set(Pin{Name: "good", Digest: strings.Repeat("0", 64), Description: sdk.Description{Name: "stale"}})
	if d := b.open(t, target("good")).Description(); d.Name != "good" {
		t.Errorf("Description = %s, want the file's own", d.Name)
	}
	b.open(t, target("lean"))
	entries, err := b.List(t.Context())
	if err != nil || len(entries) != 2 || entries[0].Problem != nil || entries[0].Pinned || entries[1].Problem != nil {
		t.Errorf("List = %+v, %v", entries, err)
	}
}

func TestUnsafeFilesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	outside := filepath.Join(t.TempDir(), "program")
	write := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(outside, 0o755)
	write(b.file("group"), 0o775)
	write(b.file("world"), 0o757)
	write(b.file("plain"), 0o644)
	write(b.file("fine"), 0o755)
	must(os.Symlink(outside, b.file("escape")))
	must(os.Symlink("../"+filepath.Base(filepath.Dir(outside))+"/program", b.file("climb")))
	must(os.Symlink(catalog.Prefix+"fine", b.file("link")))
	must(os.Mkdir(b.file("folder"), 0o755))
	must(syscall.Mkfifo(b.file("fifo"), 0o755))

	want := map[string]error{
		"group": ErrUnsafeFile, "world": ErrUnsafeFile, "plain": ErrUnsafeFile, "escape": ErrUnsafeFile,
		"folder": ErrUnsafeFile, "fifo": ErrUnsafeFile, "absent": ErrNotFound, "../../bin/sh": ErrNotFound,
		"Upper": ErrNotFound, "": ErrNotFound, "fine": ErrNotPinned, "link": ErrNotPinned,
	}
	if _, err := os.Stat(b.file("climb")); err == nil {
		want["climb"] = ErrUnsafeFile
	}
	for name, kind := range want {
		if _, err := b.Open(context.Background(), target(name)); !errors.Is(err, kind) {
			t.Errorf("Open %q = %v, want %v", name, err, kind)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	b.install(t, "lean")
	b.installChanged(t, "other", "v2")
	b.pins.set(Pin{Name: "other", Digest: strings.Repeat("0", 64)})
	if err := os.WriteFile(b.file("plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, stray := range []string{"README", catalog.Prefix + "Bad_Name", "connector-x"} {
		if err := os.WriteFile(filepath.Join(b.dir, stray), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, b.open(t, target("good")), "x")
	entries, err := b.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name    string
		pinned  bool
		state   State
		problem error
	}
	want := []row{
		{"good", true, StateReady, nil},
		{"lean", false, StateStopped, ErrNotPinned},
		{"other", false, StateStopped, ErrDigestMismatch},
		{"plain", false, StateStopped, ErrUnsafeFile},
	}
	if len(entries) != len(want) {
		t.Fatalf("List = %+v", entries)
	}
	for i, w := range want {
		e := entries[i]
		if e.Name != w.name || e.Pinned != w.pinned || e.State != w.state || !errors.Is(e.Problem, w.problem) || e.Path != b.file(w.name) {
			t.Errorf("entry %+v, want %+v", e, w)
		}
	}
	if entries[0].Digest != digestOf(t, b.file("good")) {
		t.Errorf("digest of good = %s", entries[0].Digest)
	}
}

func TestListOfAMissingFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Dir = filepath.Join(o.Dir, "absent") })
	if entries, err := b.List(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("List = %+v, %v, want nothing", entries, err)
	}
	if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open = %v, want ErrNotFound", err)
	}
}
