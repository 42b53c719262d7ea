package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/sdk"
)

// invoke runs the command line without any configuration.
func invoke(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
	code = Main(t.Context(), env, args)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	tests := map[string]int{
		"version":                         exitOK,
		"--help":                          exitOK,
		"user create --help":              exitOK,
		"":                                exitUsage,
		"user":                            exitUsage,
		"user show":                       exitUsage,
		"version extra":                   exitUsage,
		"--output xml version":            exitUsage,
		"account retry":                   exitUsage,
		"account retry ada":               exitUsage,
		"account retry ada crm --failed":  exitUsage,
		"binding set a b --timeout=1ms":   exitUsage,
		"user set ada":                    exitUsage,
		"user create ada":                 exitUsage, // no password
		"user list":                       exitFailed,
		"serve":                           exitFailed,
		"apply -f /nowhere":               exitFailed,
		"migrate --config /nowhere":       exitFailed,
		"key generate --file /nowhere/k":  exitFailed,
		"check --config /nowhere -o json": exitFailed,
		"ruleset templates":               exitOK,
		"ruleset check":                   exitUsage,
		"ruleset test /nowhere":           exitFailed,
	}
	for line, want := range tests {
		code, _, stderr := invoke(t, "", strings.Fields(line)...)
		if code != want {
			t.Errorf("anteroom %s: exit code %d, want %d: %s", line, code, want, stderr)
		}
		if (stderr == "") != (want == exitOK) {
			t.Errorf("anteroom %s: exit code %d and stderr %q", line, code, stderr)
		}
		for said := range strings.Lines(stderr) {
			if !strings.HasPrefix(said, "anteroom: ") {
				t.Errorf("anteroom %s: stderr has the line %q", line, said)
			}
		}
	}
}

func TestPasswordIsBounded(t *testing.T) {
	code, _, stderr := invoke(t, strings.Repeat("x", maxSecret+1), "user", "create", "ada")
	if code != exitFailed || !strings.Contains(stderr, "more than 4096 bytes") {
		t.Errorf("exit code %d, %s; want a password cut short refused", code, stderr)
	}
}

func TestErrorLines(t *testing.T) {
	tests := []struct {
		err  error
		want []string
	}{
		{errors.New("plain"), []string{"plain"}},
		{errors.Join(errors.New("one"), errors.New("two")), []string{"one; two"}},
		{errors.New("reach database:\n\thost a: refused\n\thost b: refused\n"), []string{"reach database: host a: refused; host b: refused"}},
		{config.Problems{{Path: "issuer", Text: "required"}, {Path: "listen", Text: "bad"}}, []string{"configuration: issuer: required", "configuration: listen: bad"}},
		{rules.Problems{{Source: "a.yaml", Line: 1, Column: 2, Text: "wrong"}, {Text: "x\ny"}}, []string{"a.yaml:1:2: wrong", "x; y"}},
		{fmt.Errorf("plan: %w", resources.Problems{{Path: "users[0].login", Text: "required"}}), []string{"resources: users[0].login: required"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, errorLines(tt.err)); diff != "" {
			t.Errorf("errorLines(%q) (-want +got):\n%s", tt.err, diff)
		}
	}
}

// What was not found is said once, whatever wraps it; anything else is kept.
func TestAbout(t *testing.T) {
	gone := fmt.Errorf("get target crm: %w", provisioning.ErrTargetNotFound)
	if got := about(`target "crm"`, gone); got.Error() != `target "crm": target not found` || !errors.Is(got, provisioning.ErrTargetNotFound) {
		t.Errorf("about = %v", got)
	}
	if got := about(`target "crm"`, errors.New("disk full")).Error(); got != `target "crm": disk full` {
		t.Errorf("about = %s", got)
	}
}

// A value that a target gave cannot forge lines or move the cursor.
func TestRowsKeepToTheirLine(t *testing.T) {
	var out bytes.Buffer
	row(&out, "detail:", "a\nforged:\tline\x1b[2J\r")
	if got := out.String(); got != "detail:\ta forged: line [2J \n" {
		t.Errorf("row = %q", got)
	}
}

// Scripts rely on the keys: every field of every view is named, in snake_case.
func TestViewKeys(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	seen := map[reflect.Type]bool{}
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ == reflect.TypeFor[time.Duration]() {
			t.Errorf("a duration would be printed in nanoseconds")
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.Anonymous && !snake.MatchString(key) {
				t.Errorf("%s.%s has the key %q", typ, f.Name, key)
			}
			check(f.Type)
		}
	}
	for _, v := range []any{
		userAccounts{}, applicationBindings{}, targetView{}, checkStepView{}, bindingView{}, accountHistory{}, explanation{},
		connectorView{}, applyResult{}, checkResult{}, done{}, templateView{}, renderedView{}, rulesetView{}, testResult{},
	} {
		check(reflect.TypeOf(v))
	}
	if len(seen) < 15 {
		t.Errorf("only %d structs were looked at", len(seen))
	}
}

// An empty account prints no time that never was, and lists are lists.
func TestEmptyViews(t *testing.T) {
	for _, v := range []any{
		viewAccount(provisioning.Account{}, "", time.Now()), viewAttempt(provisioning.Attempt{StartedAt: time.Now()}),
		viewDecision(provisioning.Decision{DecidedAt: time.Now()}), list([]int(nil), func(int) done { return done{} }),
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "0001-01-01") || strings.Contains(string(raw), "null") {
			t.Errorf("%T prints %s", v, raw)
		}
	}
}

func TestViewsHideSecrets(t *testing.T) {
	const secret = "hunter2-hunter2"
	a := application.New("payroll", "Payroll")
	a.SecretHash = secret
	target := provisioning.Target{Name: "crm", Config: []byte("{}"), Secrets: map[string]sdk.Secret{"token": secret}}
	raw, err := json.Marshal([]any{viewApplication(a), viewTarget(target)})
	if err != nil || strings.Contains(string(raw), secret) {
		t.Errorf("the views show a secret: %s, %v", raw, err)
	}
}

// While a server works on an account, the end of its lease is not a next try.
func TestAccountThatIsWorkedOn(t *testing.T) {
	now := time.Now()
	a := provisioning.Account{LeaseUntil: now.Add(time.Second), NextAttemptAt: now.Add(time.Second)}
	if v := viewAccount(a, "ada", now); !v.Working || !v.NextAttemptAt.IsZero() || v.next() != "working now" {
		t.Errorf("viewAccount = %+v, %s", v, v.next())
	}
	if v := viewAccount(a, "", now.Add(2*time.Second)); v.Working || v.next() == "working now" {
		t.Errorf("after the lease: %+v", v)
	}
}

func TestGroupsAreReplacedOrRemoved(t *testing.T) {
	for _, tt := range []struct{ flags, want []string }{
		{nil, []string{"old"}}, {[]string{"a", "b, c"}, []string{"a", "b, c"}}, {[]string{""}, []string{}},
	} {
		u := user.User{Groups: []string{"old"}}
		if err := (profileFlags{Group: tt.flags}).apply(&u); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, u.Groups); diff != "" {
			t.Errorf("groups after %q (-want +got):\n%s", tt.flags, diff)
		}
	}
}
