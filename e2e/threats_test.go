package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/threats.md names, what there is, and where browsers are sent.
var (
	namedTest    = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	declaredTest = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	otherStatus  = regexp.MustCompile(`http\.Redirect\((.*), http\.Status(\w+)\)`)
)

// A threat is met as long as a test says so: each that the table names is there, and
// every row names one.
func TestDocsThreats(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "threats.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	sources(t, "_test.go", func(_, text string) {
		for _, m := range declaredTest.FindAllStringSubmatch(text, -1) {
			declared[m[1]] = true
		}
	})
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.Contains(line, " tests |") {
			continue
		}
		rows++
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test in %s", line)
		}
		for _, m := range named {
			if !declared[m[1]] {
				t.Errorf("there is no %s, which is named in %s", m[1], line)
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d rows, want all threats", rows)
	}
}

// A browser repeats a POST at the address of a 307, with the password in it: after a
// form it is sent on with 303 (RFC 9700 section 4.12). Nor do our scripts talk to
// other windows (section 4.17).
func TestRedirectsForgetThePost(t *testing.T) {
	redirects := 0
	sources(t, ".go", func(name, text string) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, m := range otherStatus.FindAllStringSubmatch(text, -1) {
			redirects++
			if m[2] != "SeeOther" {
				t.Errorf("%s redirects with %s", name, m[2])
			}
		}
		if strings.Contains(text, "StatusTemporaryRedirect") || strings.Contains(text, "StatusPermanentRedirect") {
			t.Errorf("%s names a redirect that repeats a POST", name)
		}
	})
	if redirects == 0 {
		t.Error("no redirect was found: the pattern no longer fits")
	}
	scripts := 0
	sources(t, ".js", func(name, text string) {
		scripts++
		if strings.Contains(text, "postMessage") {
			t.Errorf("%s talks to other windows", name)
		}
	})
	if scripts == 0 {
		t.Error("no script was found")
	}
}

// sources calls do for each file of the server, and the tests here, whose name ends so.
func sources(t *testing.T, suffix string, do func(name, text string)) {
	t.Helper()
	for _, root := range []string{filepath.Join("..", "authserver"), "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "node_modules" {
					return fs.SkipDir
				}
				return nil
			}
			if !strings.HasSuffix(path, suffix) {
				return nil
			}
			text, err := os.ReadFile(path)
			do(path, string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
