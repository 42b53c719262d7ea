package source

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
)

// things is what the test's document is read into.
type things struct {
	name string
	on   bool
	list []string
}

func read(text string) (out things, err error) {
	r := Read(text, 1000, func(r *Reader, body ast.Node) {
		r.Fields(body, "a thing", map[string]func(ast.Node){
			"list": func(n ast.Node) { out.list = r.Texts(n, "list") },
			"name": func(n ast.Node) { out.name = r.Text(n) },
			"on":   func(n ast.Node) { out.on = r.Bool(n) },
		})
	})
	return out, r.Err()
}

func TestRead(t *testing.T) {
	got, err := read("name: |-\n  a\n  b\non: true\nlist: [x, \"y: z\"]\n")
	if diff := cmp.Diff(things{"a\nb", true, []string{"x", "y: z"}}, got, cmp.AllowUnexported(things{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestProblems shows that everything wrong is found at once, in the order of the
// source, where it is.
func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		"on: yes\nlist: {a: b}\nname: 7\nextra: x\n": "1:5: must be true or false\n2:7: list must be a list\n3:7: must be a text; put it in quotes\n4:1: unknown field \"extra\"; a thing has list, name, on",
		"list: [a, 1]\n":                   "1:11: must be a text; put it in quotes",
		"name: &a b\n":                     "1:7: anchors, aliases, tags, merges, explicit keys and directives are not allowed",
		"":                                 "1:1: must be one document, and not empty",
		"a: b\n---\na: b\n":                "1:1: must be one document, and not empty",
		"[]":                               "1:1: a thing must be a mapping",
		"name: " + strings.Repeat("[", 40): "1:39: is nested too deeply",
		strings.Repeat("#", 1001):          "1:1: is larger than 1000 bytes",
		"name: \"\xff\"":                   "1:1: is not UTF-8 text",
	} {
		if _, err := read(text); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want\n%s", text, err, want)
		}
	}
}

// TestPanicIsAProblem holds for the library's as for the reader's own.
func TestPanicIsAProblem(t *testing.T) {
	r := Read("a: b", 100, func(*Reader, ast.Node) { panic("boom") })
	if err := r.Err(); err == nil || err.Error() != "1:1: cannot be read as YAML" {
		t.Errorf("error = %v", err)
	}
}

func TestBeginning(t *testing.T) {
	for text, want := range map[string]int{"\n  a: b": 3, "\n  a: b\n  c: d": 3, "\n {a: b}": 2} {
		Read(text, 100, func(r *Reader, body ast.Node) {
			if got := r.Beginning(body); got != want {
				t.Errorf("%q begins at %d, want %d", text, got, want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("name: a\non: true\nlist:\n  - b\n")
	f.Add("{name: \"\\x41\", list: [>-\n a\n b]}")
	f.Fuzz(func(t *testing.T, text string) {
		var seen int
		r := Read(text, 1<<16, func(r *Reader, body ast.Node) {
			seen++
			r.Fields(body, "a thing", map[string]func(ast.Node){"list": func(n ast.Node) { r.Texts(n, "list") }, "on": func(n ast.Node) { r.Bool(n) }})
		})
		lines := strings.Split(r.Source, "\n")
		for _, p := range r.Problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("no such place: %v", p)
			}
		}
		if seen == 0 && r.Err() == nil {
			t.Error("nothing was read, and nothing is wrong")
		}
	})
}
