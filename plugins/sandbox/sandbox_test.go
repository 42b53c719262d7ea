package sandbox

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestLevelInWords(t *testing.T) {
	for want, l := range map[string]Level{
		"none":                 {},
		"no_new_privs+rlimits": {Limits: true},
		"no_new_privs+rlimits+seccomp+landlock ABI 7+uid 61000": {Limits: true, Seccomp: true, Landlock: 7, UID: 61000},
	} {
		if got := l.String(); got != want {
			t.Errorf("%#v = %q, want %q", l, got, want)
		}
	}
}

func TestLevelCovers(t *testing.T) {
	full := Full()
	for _, less := range []Level{
		{}, {Seccomp: true, Landlock: 9}, {Limits: true, Landlock: 9}, {Limits: true, Seccomp: true, Landlock: landlockScopes - 1},
	} {
		if less.Covers(full) || !full.Covers(Level{}) {
			t.Errorf("%s covers %s", less, full)
		}
	}
	own := full
	own.UID = 5
	if full.Covers(own) || !own.Covers(own) || !own.Covers(full) {
		t.Error("a user of its own is not told from the host's")
	}
}

func TestReadStatus(t *testing.T) {
	cases := map[string]struct {
		text string
		want error
		says string
	}{
		"started":       {text: `{"level":{"limits":true}}`},
		"not executed":  {text: `{"level":{"limits":true}}{"level":{},"error":"cannot start the program","errno":8}`, want: syscall.ENOEXEC, says: "exec format error"},
		"level":         {text: `{"level":{"landlock":6},"error":"want a, got b"}`, want: ErrLevel, says: "want a, got b"},
		"other failure": {text: `{"error":"read policy: x"}`, says: "read policy: x"},
		"silence":       {text: "", says: "before it could say why"},
		"half":          {text: `{"level":`, says: "before it could say why"},
		"nonsense":      {text: `hello`, says: "before it could say why"},
	}
	for name, c := range cases {
		level, err := ReadStatus(strings.NewReader(c.text))
		switch {
		case c.says == "" && (err != nil || !level.Limits):
			t.Errorf("%s: %v, %v", name, level, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || level != Level{}):
			t.Errorf("%s: %v, %v, want an error that says %q", name, level, err, c.says)
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v is not %v", name, err, c.want)
		}
	}
	if _, err := ReadStatus(io.MultiReader(strings.NewReader(`{"level":{}}`), failing{})); err == nil {
		t.Error("a pipe that breaks is a start")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, os.ErrClosed }

// TestMainIsForTheLauncherAlone: any other command line is the program's own.
func TestMainIsForTheLauncherAlone(t *testing.T) {
	for _, args := range [][]string{nil, {marker}, {"anteroom", "{}"}, {marker, "{}", "x"}} {
		Main(args) // returns
	}
}
