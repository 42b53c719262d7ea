package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
)

// TestScripts runs the real command as an admin would, one script a topic. What
// the scripts have beyond testscript's own commands is in scriptCommands.
func TestScripts(t *testing.T) {
	long(t)
	bin, connectors := buildDir(t), connectorsDir(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Cmds: scriptCommands(),
		Setup: func(env *testscript.Env) error { return setUpScript(env, bin, connectors) },
	})
}

// theDirectory is the key of a script's directory among its values.
type theDirectory struct{}

// setUpScript gives a script a configuration in its environment, with a fresh
// database, and a directory of its own.
func setUpScript(env *testscript.Env, bin, connectors string) error {
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	d := directory.New(directory.Options{Token: scimToken})
	server := httptest.NewServer(d)
	env.Defer(server.Close)
	env.Values[theDirectory{}] = d
	for name, value := range map[string]string{
		"PATH":                      bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"TMPDIR":                    os.TempDir(), // a script's own is too long for sockets
		"CONNECTORS":                connectors,
		"ANTEROOM_ISSUER":           "http://" + address,
		"ANTEROOM_LISTEN":           address,
		"ANTEROOM_DATABASE":         "sqlite://" + filepath.Join(env.WorkDir, "anteroom.db"),
		"ANTEROOM_CONNECTORS_DIR":   connectors,
		"ANTEROOM_SECRETS_KEY_FILE": filepath.Join(env.WorkDir, "keys.json"),
		"SCIM_URL":                  server.URL + directory.SCIMPath,
		"SCIM_TOKEN":                scimToken,
		"APP_SECRET":                appSecret,
	} {
		env.Setenv(name, value)
	}
	return nil
}

func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"fails":     scriptFails,
		"json":      scriptJSON,
		"keys":      scriptKeys,
		"directory": scriptDirectory,
		"await":     scriptAwait,
		"register":  scriptRegister,
		"mode":      scriptMode,
		"expand":    scriptExpand,
	}
}

// scriptFails is `fails CODE COMMAND…`: the command ends with exactly the code,
// and says why on stderr in lines that begin with "anteroom: ".
func scriptFails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE COMMAND…")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Check(err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	text := ts.ReadFile("stderr")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "anteroom: ") {
			ts.Fatalf("stderr has the line %q, want each to begin with \"anteroom: \"", line)
		}
	}
	if text == "" {
		ts.Fatalf("nothing on stderr")
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// scriptJSON is `json [PATH VALUE]`: the last output is one JSON value, all its
// keys are snake_case, no time is zero, and what is at the path is the value.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	root := decode(ts)
	if neg || len(args) != 0 && len(args) != 2 {
		ts.Fatalf("usage: json [PATH VALUE]")
	}
	checkForm(ts, ".", root)
	if len(args) == 0 {
		return
	}
	node := at(ts, root, args[0])
	got, ok := node.(string)
	if !ok {
		raw, err := json.Marshal(node)
		ts.Check(err)
		got = string(raw)
	}
	if got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

// scriptKeys is `keys PATH KEY…`: the object at the path has exactly these keys.
func scriptKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: keys PATH KEY…")
	}
	object, ok := at(ts, decode(ts), args[0]).(map[string]any)
	if !ok {
		ts.Fatalf("%s is no object", args[0])
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
		ts.Fatalf("%s has the keys\n%s, want\n%s", args[0], strings.Join(got, " "), strings.Join(want, " "))
	}
}

func decode(ts *testscript.TestScript) any {
	var root any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &root); err != nil {
		ts.Fatalf("stdout is not one JSON value: %v", err)
	}
	return root
}

func checkForm(ts *testscript.TestScript, path string, node any) {
	switch v := node.(type) {
	case map[string]any:
		for key, child := range v {
			if !snakeCase.MatchString(key) {
				ts.Fatalf("%s has the key %q, which is not snake_case", path, key)
			}
			checkForm(ts, path+"."+key, child)
		}
	case []any:
		for i, child := range v {
			checkForm(ts, fmt.Sprint(path, ".", i), child)
		}
	case string:
		if strings.HasPrefix(v, "0001-01-01") {
			ts.Fatalf("%s is the zero time", path)
		}
	}
}

// at follows a path such as "accounts.0.state"; "." is the whole.
func at(ts *testscript.TestScript, node any, path string) any {
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' }) {
		switch v := node.(type) {
		case map[string]any:
			child, ok := v[name]
			if !ok {
				ts.Fatalf("%s: there is no %s", path, name)
			}
			node = child
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: there is no %s among %d", path, name, len(v))
			}
			node = v[i]
		default:
			ts.Fatalf("%s: nothing is below %v", path, v)
		}
	}
	return node
}

// scriptDirectory is `directory MODE`: how the directory behaves from now on.
func scriptDirectory(ts *testscript.TestScript, neg bool, args []string) {
	d, ok := ts.Value(theDirectory{}).(*directory.Directory)
	if neg || !ok || len(args) != 1 {
		ts.Fatalf("usage: directory MODE")
	}
	d.SetMode(directory.Mode(args[0]))
	if string(d.Mode()) != args[0] {
		ts.Fatalf("the directory has no mode %q", args[0])
	}
}

// scriptMode is `mode FILE MODE`: the file's permissions are exactly these.
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE MODE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// scriptExpand is `expand FILE`: puts the environment's values into the file.
func scriptExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// scriptAwait is `await TEXT anteroom…`: runs the command again and again until
// its output has the text. `await ready` waits for the server.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: await ready, or await TEXT COMMAND…")
	case len(args) == 1:
		repeat(ts, "the server", func() bool {
			res, err := http.Get(ts.Getenv("ANTEROOM_ISSUER") + "/readyz")
			if err != nil {
				return false
			}
			_ = res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
	default:
		repeat(ts, args[0], func() bool {
			cmd := exec.Command(filepath.Join(filepath.Dir(ts.Getenv("CONNECTORS")), args[1]), args[2:]...)
			cmd.Env, cmd.Dir = scriptEnvironment(ts), ts.MkAbs(".")
			out, err := cmd.CombinedOutput()
			if err != nil {
				ts.Fatalf("%v: %s", err, out)
			}
			return strings.Contains(string(out), args[0])
		})
		ts.Check(ts.Exec(args[1], args[2:]...)) // for what comes next to look at
	}
}

func scriptEnvironment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "TMPDIR", "ANTEROOM_ISSUER", "ANTEROOM_DATABASE", "ANTEROOM_CONNECTORS_DIR", "ANTEROOM_SECRETS_KEY_FILE",
	} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

func repeat(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			ts.Fatalf("%s: not within %s", what, patience)
		}
		<-tick.C
	}
}

var referencePattern = regexp.MustCompile(`Reference for support:? ?([A-Z0-9-]+)`)

// scriptRegister is `register LOGIN`: a person registers through the application
// and follows the pages until there is a support reference, which becomes
// $REFERENCE.
func scriptRegister(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: register LOGIN")
	}
	rp := &relyingParty{config: oauth2.Config{
		ClientID: appID, RedirectURL: appCallback, Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: ts.Getenv("ANTEROOM_ISSUER") + "/oauth2/authorize"},
	}}
	ctx, b := context.Background(), newBrowser()
	page, err := b.Get(ctx, rp.request(promptCreate).url)
	ts.Check(err)
	page, err = b.Submit(ctx, page, "/register", map[string]string{"login": args[0], "email": args[0] + "@example.com", "password": password})
	ts.Check(err)
	repeat(ts, "a support reference", func() bool {
		if found := referencePattern.FindStringSubmatch(page.Text); found != nil {
			ts.Setenv("REFERENCE", found[1])
			return true
		}
		page, err = b.Get(ctx, page.URL.String())
		ts.Check(err)
		return false
	})
}
