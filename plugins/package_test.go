package plugins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

func itoa(n int) string { return strconv.Itoa(n) }

// writeOver changes an installed file, which is read-only.
func writeOver(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), info.Mode().Perm()|0o200); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) stored(pin Pin, name string) string {
	return filepath.Join(b.dir, "sha256", pin.Digest[:2], pin.Digest, name)
}

func TestInstalledButUnpinnedIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, mode := range []string{"", "v2"} { // one version, and several
		b.addVersion(t, mode, "1.2.3", nil)
		if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrNotPinned) {
			t.Errorf("Open = %v, want ErrNotPinned", err)
		}
	}
}

func TestTamperedInstalledBinaryIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	pin := b.addVersion(t, "", "1.2.3", nil)
	b.pins.set(pin)
	trace := filepath.Join(t.TempDir(), "executed")
	writeOver(t, b.stored(pin, catalog.Prefix+"good"), "#!/bin/sh\n: >"+trace+"\n")
	if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrDigestMismatch) || sdk.KindOf(err) != sdk.KindInternal {
		t.Errorf("Open = %v, want ErrDigestMismatch", err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the changed file was executed")
	}
}

// TestSwappedBetweenCheckAndExec replaces the file after it was verified and
// before it is executed: the verified bytes run. A script is run in place, so it
// is refused.
func TestSwappedBetweenCheckAndExec(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "executed")
	evil := "#!/bin/sh\n: >" + trace + "\n"
	for name, program := range map[string]string{"binary": "", "script": "#!/bin/sh\nexit 3\n"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			pin := b.addVersion(t, "", "1.2.3", nil)
			if program != "" {
				pin = b.addPackage(t, program, "1.2.3", nil, nil)
			}
			b.pins.set(pin)
			p, err := b.acquire(t.Context(), choice{name: "good"})
			if err != nil {
				t.Fatal(err)
			}
			defer b.release(p)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			img, err := p.verifiedImage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			writeOver(t, b.stored(pin, catalog.Prefix+"good"), evil)
			proc, err := p.launch(ctx, img)
			if program != "" {
				if err == nil || !strings.Contains(err.Error(), runner.ErrChanged.Error()) {
					t.Errorf("launch of a changed script = %v", err)
				}
			} else if err != nil {
				t.Errorf("launch of the verified bytes: %v", err)
			} else {
				d, err := proc.wire.Describe(ctx)
				if err != nil || d.Name != "good" {
					t.Errorf("Describe = %s, %v", d.Name, err)
				}
				proc.kill()
				proc.cleanUp()
			}
			if _, err := os.Stat(trace); err == nil {
				t.Error("the file that was put there was executed")
			}
		})
	}
}

// TestManifestThatLiesIsRefused holds a program to its manifest, when it is looked
// at and when it is used.
func TestManifestThatLiesIsRefused(t *testing.T) {
	t.Parallel()
	for want, lie := range map[string]func(*catalog.Manifest){
		`version is "9.9.9" in connector.json, and "1.2.3" in the program`: func(m *catalog.Manifest) { m.Version = "9.9.9" },
		`capabilities is "" in connector.json`:                             func(m *catalog.Manifest) { m.Capabilities = []sdk.Capability{} },
		`schema_digest is "000`:                                            func(m *catalog.Manifest) { m.SchemaDigest = strings.Repeat("0", 64) },
	} {
		b := newBench(t, nil)
		pin := b.addVersion(t, "", "1.2.3", lie)
		if _, err := b.Examine(t.Context(), "good", ""); !errors.Is(err, ErrMisdescribed) || !strings.Contains(err.Error(), want) {
			t.Errorf("Examine = %v, want %q", err, want)
		}
		b.pins.set(pin)
		if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrMisdescribed) || sdk.KindOf(err) != sdk.KindInternal {
			t.Errorf("Open = %v, want ErrMisdescribed", err)
		}
	}
}

// TestManifestThatLiesAboutItsNameIsRefused is a good package in another's name.
func TestManifestThatLiesAboutItsNameIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	program, err := os.ReadFile(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	b.addPackage(t, string(program)+versionMark+"other", "1.2.3", nil, nil)
	if _, err := b.Examine(t.Context(), "good", ""); !errors.Is(err, ErrMisdescribed) || !strings.Contains(err.Error(), `name is "good" in connector.json, and "other" in the program`) {
		t.Errorf("Examine = %v", err)
	}
}

// TestWrongSystemInTheStoreIsRefused is a folder that was copied from elsewhere.
func TestWrongSystemInTheStoreIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	pin := b.addVersion(t, "", "1.2.3", nil)
	b.pins.set(pin)
	path := b.stored(pin, catalog.ManifestName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for field, foreign := range map[string]string{`"os":"any"`: `"os":"plan9"`, `"protocols":[1]`: `"protocols":[7]`} {
		writeOver(t, path, strings.Replace(string(raw), field, foreign, 1))
		if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, catalog.ErrIncompatible) {
			t.Errorf("%s: Open = %v, want ErrIncompatible", foreign, err)
		}
	}
}

// TestScriptPackage runs a script with a file beside it, and refuses to start it
// again once that file is another.
func TestScriptPackage(t *testing.T) {
	t.Parallel()
	// Confined, it could not run a program outside its package.
	b := newBench(t, func(o *Options) { o.Isolation.Mode = IsolationOff })
	real := filepath.Join(t.TempDir(), catalog.Prefix+"good")
	if err := os.Symlink(executable(t), real); err != nil {
		t.Fatal(err)
	}
	pin := b.addPackage(t, "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\n", "1.2.3", map[string]string{"lib.sh": "exec " + real + "\n"}, nil)
	b.pins.set(pin)
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	_ = die(t.Context(), c)
	if ask(t, c, "x") == pid {
		t.Error("answered by a dead process")
	}
	trace := filepath.Join(t.TempDir(), "executed")
	writeOver(t, b.stored(pin, "lib.sh"), ": >"+trace+"\n")
	_ = die(t.Context(), c)
	if _, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{}); !errors.Is(err, ErrDigestMismatch) || !strings.Contains(err.Error(), "lib.sh") {
		t.Errorf("Lookup = %v, want ErrDigestMismatch that names the file", err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the changed file was executed")
	}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	one, two := b.addVersion(t, "", "1.2.3", nil), b.addVersion(t, "v2", "2.0.0", nil)
	b.pins.set(one)
	c, err := b.Examine(t.Context(), "good", two.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Digest != two.Digest || c.Description.Version != "2.0.0" || c.Meta.Licence != "MIT" {
		t.Errorf("Examine = %+v", c)
	}
	problems, err := c.Validate(t.Context(), sdk.RawConfig{Values: []byte(`{"extra":1}`)})
	if err != nil || len(problems) != 1 || problems[0].Field != "extra" {
		t.Errorf("Validate = %+v, %v", problems, err)
	}
	if _, err := b.Examine(t.Context(), "good", strings.Repeat("0", 64)); !errors.Is(err, ErrNotFound) {
		t.Errorf("Examine of a version that is not there = %v", err)
	}
	if _, err := b.Examine(t.Context(), "good", ""); !errors.Is(err, catalog.ErrSeveral) {
		t.Errorf("Examine of one of two = %v", err)
	}
}

func TestListShowsInstalledVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	one, two := b.addVersion(t, "", "1.2.3", nil), b.addVersion(t, "v2", "2.0.0", nil)
	b.pins.set(one)
	ask(t, b.open(t, target("good")), "x")
	entries, err := b.List(t.Context())
	if err != nil || len(entries) != 2 {
		t.Fatalf("List = %+v, %v", entries, err)
	}
	for _, e := range entries {
		switch e.Digest {
		case one.Digest:
			if !e.Pinned || e.State != StateReady || e.Problem != nil || e.Meta.Version != "1.2.3" {
				t.Errorf("the pinned version: %+v", e)
			}
		case two.Digest:
			if e.Pinned || e.State != StateStopped || !errors.Is(e.Problem, ErrDigestMismatch) {
				t.Errorf("the other version: %+v", e)
			}
		default:
			t.Errorf("unknown: %+v", e)
		}
	}
}

// crashes keeps what the host reports.
type crashes struct {
	mu   sync.Mutex
	seen []Crash
}

func (c *crashes) Crashed(_ context.Context, name, digest string, crash Crash) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, crash)
	return nil
}

func TestCrashesAreReported(t *testing.T) {
	t.Parallel()
	seen := &crashes{}
	b := newBench(t, func(o *Options) { o.Crashes = seen }, "good", "broken")
	_ = die(t.Context(), b.open(t, target("good")))
	_, _ = b.Open(t.Context(), target("broken"))
	awaitTrue(t, func() bool { seen.mu.Lock(); defer seen.mu.Unlock(); return len(seen.seen) == 2 })
	for _, c := range seen.seen {
		text := strings.Join(c.Output, "\n")
		switch {
		case c.Exit == "signal: killed" && strings.Contains(text, "dying with ***"):
		case strings.HasPrefix(c.Exit, "did not start: ") && strings.Contains(text, "cannot find my libraries"):
		default:
			t.Errorf("report %+v", c)
		}
	}
}
