package sql

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for statement, want := range map[string]struct {
		text  string
		names []string
	}{
		"select :id":                                {"select $1", []string{"id"}},
		" select :id, :login , :id ; ":              {"select $1, $2 , $1", []string{"id", "login"}},
		"select :id::text, x::int":                  {"select $1::text, x::int", []string{"id"}},
		"select ':id' || :id":                       {"select ':id' || $1", []string{"id"}},
		"select 'it''s :no' || :id":                 {"select 'it''s :no' || $1", []string{"id"}},
		`select '\' || :id`:                         {`select '\' || $1`, []string{"id"}},
		`select E'\' :no' || :id`:                   {`select E'\' :no' || $1`, []string{"id"}},
		"select e'a'\n'\\' :no', :id":               {"select e'a'\n'\\' :no', $1", []string{"id"}},
		`select typE'\', :id`:                       {`select typE'\', $1`, []string{"id"}},
		`select "a:b""c" = :id`:                     {`select "a:b""c" = $1`, []string{"id"}},
		"select $$:no$$ || :id":                     {"select $$:no$$ || $1", []string{"id"}},
		"select $a$ $$ :no $a$ || :id":              {"select $a$ $$ :no $a$ || $1", []string{"id"}},
		"select a$b$c, :id":                         {"select a$b$c, $1", []string{"id"}},
		"select 1 -- :no 'x\n, :id":                 {"select 1 -- :no 'x\n, $1", []string{"id"}},
		"select /* :no /* ' */ :no */ :id -- the ;": {"select /* :no /* ' */ :no */ $1 -- the ;", []string{"id"}},
		"select a[1:2], a[:id], :id":                {"select a[1:2], a[$1], $1", []string{"id"}},
		"call f(x := :id)":                          {"call f(x := $1)", []string{"id"}},
		"select 'ä' = :login_2":                     {"select 'ä' = $1", []string{"login_2"}},
	} {
		got, err := parse(statement)
		if err != nil {
			t.Errorf("%q: %v", statement, err)
		}
		if got.text != want.text || !cmp.Equal(got.names, want.names) {
			t.Errorf("%q: %q %v, want %q %v", statement, got.text, got.names, want.text, want.names)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for statement, want := range map[string]string{
		"":                             "is empty",
		" -- nothing":                  "is empty",
		" ; ":                          "is empty",
		"select 1; drop table account": "one statement",
		"select 1;;":                   "one statement",
		"select $1":                    "dollar sign",
		"select $a":                    "dollar sign",
		"select $a$ x":                 "not closed",
		"select 'x":                    "not closed",
		`select E'\'`:                  "not closed",
		`select "x`:                    "not closed",
		"select /* /* */ 1":            "not closed",
		"select a:id":                  "parted",
		"select :id$1":                 "parted",
		"select 'a\x00'":               "zero byte",
	} {
		if got, err := parse(statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", statement, got, err, want)
		}
	}
}

var placeholder = regexp.MustCompile(`\$\d+`)

// FuzzParse wants nothing but the names to be changed, and a statement without
// names to stay as it is.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"select :id, ':x', $$:y$$ -- z", "select E'\\'' || :login::text /* : */", "a:b :c$d $1", "'", "$$", "/*", "x;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, statement string) {
		p, err := parse(statement)
		if err != nil || strings.Contains(statement, "$") { // which may stand in quotes
			return
		}
		back := placeholder.ReplaceAllStringFunc(p.text, func(n string) string {
			i, err := strconv.Atoi(n[1:])
			if err != nil || i < 1 || i > len(p.names) {
				t.Fatalf("%q became %q with %d names", statement, p.text, len(p.names))
			}
			return ":" + p.names[i-1]
		})
		plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, ";", "")) }
		if plain(back) != plain(statement) {
			t.Errorf("%q became %q of %q", statement, p.text, p.names)
		}
	})
}
