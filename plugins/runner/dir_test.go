package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirSweepsWhatDeadProcessesLeft is trap 12 of docs/connector-traps.md.
func TestDirSweepsWhatDeadProcessesLeft(t *testing.T) {
	base := filepath.Join(shortDir(t), "b")
	live, err := OpenDir(base)
	if err != nil {
		t.Fatal(err)
	}
	// A folder whose lock nobody holds is what a killed process leaves.
	dead := filepath.Join(base, "0badf00d")
	if err := os.MkdirAll(filepath.Join(dead, "plugin-dir1"), 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(base, "not-ours-at-all")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	second, err := OpenDir(base)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{live.Path(): true, second.Path(): true, foreign: true, dead: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", path, err == nil, want)
		}
	}
	if info, err := os.Stat(live.Path()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder = %v, %v, want mode 0700", info, err)
	}
	for _, d := range []*Dir{live, second} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.Path()); err == nil {
			t.Errorf("%s is still there after Close", d.Path())
		}
	}
}

// TestDirRefusesWhatOthersCanReach is trap 13 of docs/connector-traps.md.
func TestDirRefusesWhatOthersCanReach(t *testing.T) {
	open := filepath.Join(shortDir(t), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(shortDir(t), "link")
	if err := os.Symlink(shortDir(t), link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(shortDir(t), "file")
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		open:                                  "may be entered by others",
		link:                                  "is not a folder",
		file:                                  "not a directory",
		"/tmp/" + strings.Repeat("long/", 12): "too long",
	}
	for base, want := range bad {
		d, err := OpenDir(base)
		if err == nil {
			_ = d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenDir(%s) = %v, want an error that says %q", base, err, want)
		}
	}
}

// TestDirForOtherUsers can be passed through, not listed, and is taken again.
func TestDirForOtherUsers(t *testing.T) {
	base := filepath.Join(shortDir(t), "b")
	d, err := OpenDir(base)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Allow(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{base, d.Path()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o711 {
			t.Errorf("%s = %v, %v, want mode 0711", path, info.Mode(), err)
		}
	}
	again, err := OpenDir(base)
	if err != nil {
		t.Fatalf("a second process: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
