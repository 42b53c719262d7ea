package scaffold

import (
	"errors"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// made reads back what New wrote.
func made(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func checkout(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNewGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "repo")
	got, err := New(Options{Lang: Go, Name: "human-resources", Dir: dir, Module: "corp.example/hr", SDK: checkout(t)})
	if err != nil || got != dir {
		t.Fatalf("New = %q, %v", got, err)
	}
	files := made(t, dir)
	want := []string{
		".gitignore", "Makefile", "README.md", "cmd/fake/main.go", "config.go", "connector.go", "connector_test.go",
		"fake/fake.go", "go.mod", "main.go", "optional.go", "user.go",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for path, text := range files {
		if strings.Contains(strings.ToLower(text), original) || strings.Contains(text, "sdk/examples") {
			t.Errorf("%s still tells of the example", path)
		}
		if formatted, err := format.Source([]byte(text)); strings.HasSuffix(path, ".go") && (err != nil || string(formatted) != text) {
			t.Errorf("%s is not formatted: %v", path, err)
		}
	}
	for path, want := range map[string]string{
		"go.mod":           "module corp.example/hr\n\ngo 1.26.0\n\nrequire " + project + " v0.0.0\n\nreplace " + project + " => " + checkout(t) + "\n",
		"main.go":          `sdk.Define("human-resources", "0.1.0", open, sdk.DisplayName("Human Resources")`,
		"cmd/fake/main.go": `"corp.example/hr/fake"`,
		"Makefile":         "NAME := anteroom-connector-human-resources\n",
	} {
		if !strings.Contains(files[path], want) {
			t.Errorf("%s lacks %q:\n%s", path, want, files[path])
		}
	}
}

func TestNewNode(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := New(Options{Lang: Node, Name: "hr2"})
	if err != nil || dir != "anteroom-connector-hr2" {
		t.Fatalf("New = %q, %v", dir, err)
	}
	files := made(t, dir)
	want := []string{
		".gitignore", "README.md", "anteroom/connector.proto", "anteroom/instances.mjs", "anteroom/sdk.mjs", "anteroom/serve.mjs",
		"anteroom/wire.mjs", "conformance.mjs", "connector.mjs", "connector.test.mjs", "fake/main.mjs", "fake/target.mjs", "main.mjs",
		"package-lock.json", "package.json",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for path, text := range files {
		if strings.Contains(strings.ToLower(text), original) {
			t.Errorf("%s still tells of the example", path)
		}
	}
	proto, err := os.ReadFile("../" + dir + "/anteroom/connector.proto")
	if err == nil && !strings.Contains(string(proto), "service Connector") {
		t.Errorf("connector.proto is not the protocol:\n%s", proto)
	}
}

func TestNewTakesTheReleasedVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	if _, err := New(Options{Lang: Go, Name: "hr", Dir: dir, Version: "v1.2.3"}); err != nil {
		t.Fatal(err)
	}
	want := "module example.com/anteroom-connector-hr\n\ngo 1.26.0\n\nrequire " + project + " v1.2.3\n"
	if got := made(t, dir)["go.mod"]; got != want {
		t.Errorf("go.mod = %q, want %q", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"no name":          {Options{Lang: Go}, `name ""`},
		"capitals":         {Options{Lang: Go, Name: "Acme"}, `name "Acme"`},
		"a path":           {Options{Lang: Go, Name: "../acme"}, "name"},
		"a hyphen at last": {Options{Lang: Go, Name: "acme-"}, "name"},
		"too long":         {Options{Lang: Go, Name: strings.Repeat("a", 33)}, "at most 32"},
		"the program":      {Options{Lang: Go, Name: "anteroom-connector-x"}, `leave out "anteroom-connector-"`},
		"a language":       {Options{Lang: "python", Name: "acme"}, `language "python": use go or node`},
		"node's module":    {Options{Lang: Node, Name: "acme", Module: "x.example/y"}, "for Go alone"},
		"a module":         {Options{Lang: Go, Name: "acme", Module: "not a path"}, `module path "not a path"`},
		"a line more":      {Options{Lang: Go, Name: "acme", Module: "x\nreplace a => b"}, "module path"},
		"our module":       {Options{Lang: Go, Name: "acme", Module: project + "/acme"}, "of your own"},
		"no checkout":      {Options{Lang: Go, Name: "acme", SDK: "/nowhere"}, `SDK folder "/nowhere"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			test.o.Dir = dir
			_, err := New(test.o)
			if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New = %v, want ErrOption with %q", err, test.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was made: %v", err)
			}
		})
	}
}

func TestNewOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	o := Options{Lang: Node, Name: "hr", Dir: dir}
	if _, err := New(o); err != nil {
		t.Fatalf("New in an empty folder: %v", err)
	}
	before := made(t, dir)
	if _, err := New(o); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), dir) {
		t.Errorf("New where something is = %v, want ErrExists with the folder", err)
	}
	if diff := cmp.Diff(before, made(t, dir)); diff != "" {
		t.Errorf("it changed (-before +after):\n%s", diff)
	}
	file := filepath.Join(dir, "package.json")
	if _, err := New(Options{Lang: Node, Name: "hr", Dir: file}); !errors.Is(err, ErrExists) {
		t.Errorf("New where a file is = %v, want ErrExists", err)
	}
}

func TestFailureLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{empty, filepath.Join(parent, "new")} {
		err := write(dir, map[string]string{"a/b": "x", "a/b/c": "x"})
		if err == nil {
			t.Fatal("a file below a file was written")
		}
	}
	left := made(t, parent)
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 || len(left) != 0 {
		t.Errorf("left behind: %v, %v, %v", entries, left, err)
	}
}
