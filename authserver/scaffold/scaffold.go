package scaffold

import (
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk/examples"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Lang is a language that a connector can be written in.
type Lang string

// The languages.
const (
	Go   Lang = "go"
	Node Lang = "node"
)

// Errors of [New].
var (
	ErrOption = errors.New("cannot make a connector")
	ErrExists = errors.New("there is something already")
)

// Options say what to make.
type Options struct {
	Lang   Lang
	Name   string // the kind of system, such as "acme"
	Dir    string // to make; "" for anteroom-connector-NAME in the working directory
	Module string // Go: the module's path; "" for example.com/anteroom-connector-NAME
	// SDK is a checkout of this project that a Go connector takes the SDK from, ""
	// for the released Version.
	SDK     string
	Version string // Go: of this module, "" when it is not a release
}

const (
	program  = "anteroom-connector-" // before every connector's name
	original = "acme"                // the name in the examples
	project  = "github.com/anteroom-id/anteroom"
)

var (
	validName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	validModule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// New makes the repository and returns its folder. It makes all of it or nothing:
// a folder that holds something is [ErrExists], and options that cannot be are
// [ErrOption].
func New(o Options) (dir string, err error) {
	if o, err = o.resolved(); err != nil {
		return "", err
	}
	files, err := o.files()
	if err != nil {
		return "", err
	}
	return o.Dir, write(o.Dir, files)
}

func (o Options) resolved() (Options, error) {
	switch {
	case o.Lang != Go && o.Lang != Node:
		return o, fmt.Errorf("%w: language %q: use go or node", ErrOption, o.Lang)
	case !validName.MatchString(o.Name) || strings.HasSuffix(o.Name, "-"):
		return o, fmt.Errorf("%w: name %q: use lower-case letters, digits and -, at most 32, starting with a letter", ErrOption, o.Name)
	case strings.HasPrefix(o.Name, program):
		return o, fmt.Errorf("%w: name %q: leave out %q, it is put before the name", ErrOption, o.Name, program)
	case o.Lang != Go && (o.Module != "" || o.SDK != ""):
		return o, fmt.Errorf("%w: a module path and an SDK folder are for Go alone", ErrOption)
	}
	if o.Module == "" {
		o.Module = "example.com/" + program + o.Name
	}
	if !validModule.MatchString(o.Module) || strings.HasPrefix(o.Module+"/", project+"/") {
		return o, fmt.Errorf("%w: module path %q: use one of your own, such as example.com/%s%s", ErrOption, o.Module, program, o.Name)
	}
	if o.Dir == "" {
		o.Dir = program + o.Name
	}
	if o.SDK == "" {
		return o, nil
	}
	sdk, err := filepath.Abs(o.SDK)
	if err == nil {
		_, err = os.Stat(filepath.Join(sdk, "sdk", "wire"))
	}
	if err != nil {
		return o, fmt.Errorf("%w: SDK folder %q is no checkout of %s: %w", ErrOption, o.SDK, project, err)
	}
	o.SDK = sdk
	return o, nil
}

// files returns what the repository consists of, by path.
func (o Options) files() (map[string]string, error) {
	source, files := examples.Node(), map[string]string{
		"anteroom/connector.proto": connectorv1.Source(),
	}
	if o.Lang == Go {
		source, files = examples.Go(), map[string]string{"go.mod": o.goMod()}
	}
	rename := o.renamer()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		text := rename.Replace(string(raw))
		if strings.HasSuffix(path, ".go") { // the new names may sort otherwise
			formatted, err := format.Source([]byte(text))
			if err != nil {
				return err
			}
			text = string(formatted)
		}
		files[rename.Replace(path)] = text
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read example: %w", err)
	}
	return files, nil
}

// renamer replaces what belongs to the example. The first match counts.
func (o Options) renamer() *strings.Replacer {
	return strings.NewReplacer(
		project+"/sdk/examples/"+original, o.Module,
		original, o.Name,
		title(original), title(o.Name),
	)
}

// title makes "human-resources" a name to be read: "Human Resources".
func title(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

func (o Options) goMod() string {
	version := o.Version
	if version == "" {
		version = "v0.0.0"
	}
	text := fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire %s %s\n", o.Module, project, version)
	if o.SDK != "" {
		text += fmt.Sprintf("\nreplace %s => %s\n", project, quoted(o.SDK))
	}
	return text
}

// quoted puts a path that go.mod's grammar would take apart into quotes.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'`(),[]{}") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// write fills the folder, which must be empty or not there. What fails leaves it
// as it was.
func write(dir string, files map[string]string) (err error) {
	entries, err := os.ReadDir(dir)
	there := err == nil
	switch {
	case len(entries) > 0:
		return fmt.Errorf("%s: %w: %s", dir, ErrExists, entries[0].Name())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: %w", dir, ErrExists, err)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(path)), files[path]); err != nil {
			return errors.Join(err, undo(dir, there))
		}
	}
	return nil
}

// undo removes what was written into a folder that was empty or not there.
func undo(dir string, keep bool) error {
	if !keep {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}
