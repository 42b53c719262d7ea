package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

const minimal = "issuer: https://login.example.com\ndatabase: sqlite:///var/lib/anteroom/db\nsecrets_key_file: /etc/anteroom/keys.json\n"

func TestDefaults(t *testing.T) {
	got, err := Parse([]byte(minimal), env())
	want := Config{
		Issuer: "https://login.example.com", Listen: "127.0.0.1:8080", Database: "sqlite:///var/lib/anteroom/db",
		ConnectorsDir: "./connectors", Isolation: "best_effort", SecretsKeyFile: "/etc/anteroom/keys.json", LogLevel: slog.LevelInfo, LogFormat: "text",
		KeepAttempts: 30 * 24 * time.Hour, KeepDecisions: 90 * 24 * time.Hour, KeepAudit: 400 * 24 * time.Hour, KeyAge: 90 * 24 * time.Hour, PushedLifetime: 90 * time.Second, Lease: 30 * time.Second,
		ProxyHeader:  "x-forwarded-for",
		Registration: Registration{Mode: "off", Scopes: []string{"openid", "profile", "email", "offline_access"}, MaxApplications: 1000, KeepUnused: 30 * 24 * time.Hour},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("Parse (-want +got):\n%s%v", diff, err)
	}
}

func TestEnvironmentOverridesFile(t *testing.T) {
	got, err := Parse([]byte(minimal), env("ANTEROOM_CONNECTORS_DIR", "/c", "ANTEROOM_LISTEN", "[::1]:1"))
	if err != nil || got.ConnectorsDir != "/c" || got.Listen != "[::1]:1" {
		t.Errorf("Parse = %+v, %v; want the environment's values", got, err)
	}
}

// Every problem is reported at once, each with the key at fault.
func TestEveryProblemAtOnce(t *testing.T) {
	raw := "issuer: http://login.example.com\nlisten: 8080\ndatabase: mysql://u:hunter2@h/db\nlog: {level: loud, format: xml}\nconnectors: {path: x}\nextra: [1]\n"
	_, err := Parse([]byte(raw), env())
	problems, ok := IsProblems(err)
	if !ok {
		t.Fatalf("Parse = %v, want Problems", err)
	}
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	want := []string{"connectors.path", "database", "extra", "issuer", "listen", "log.format", "log.level", "secrets_key_file"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error shows the database password")
	}
}

func TestProblemInEnvironmentNamesTheVariable(t *testing.T) {
	_, err := Parse([]byte(minimal), env("ANTEROOM_ISSUER", "ftp://x"))
	if err == nil || !strings.Contains(err.Error(), "ANTEROOM_ISSUER: ") {
		t.Errorf("Parse = %v, want ANTEROOM_ISSUER named", err)
	}
}

func TestIssuer(t *testing.T) {
	tests := map[string]bool{
		"https://a.example": true, "https://a.example/": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:1": true,
		"http://a.example": false, "https://a.example/path": false, "https://a.example?q": false, "https://u@a.example": false, "a.example": false,
	}
	for issuer, ok := range tests {
		if err := setIssuer(&Config{}, issuer); (err == nil) != ok {
			t.Errorf("setIssuer(%q) = %v, want ok %v", issuer, err, ok)
		}
	}
}

func TestRetention(t *testing.T) {
	tests := map[string]bool{
		"1d": true, "30d": true, "36500d": true,
		"0d": false, "-1d": false, "36501d": false, "30": false, "720h": false, "d": false, "1.5d": false, "99999999999999999999d": false,
	}
	for value, ok := range tests {
		c, err := Parse([]byte(minimal), env("ANTEROOM_RETENTION_ATTEMPTS", value))
		if (err == nil) != ok || ok && c.KeepAttempts < 24*time.Hour {
			t.Errorf("retention.attempts: %s = %s, %v, want ok %v", value, c.KeepAttempts, err, ok)
		}
	}
}

func TestLease(t *testing.T) {
	tests := map[string]time.Duration{
		"": 30 * time.Second, "2s": 2 * time.Second, "5m": 5 * time.Minute, "1s": 0, "5m1s": 0, "-30s": 0, "30": 0, "x": 0,
	}
	for value, want := range tests {
		c, err := Parse([]byte(minimal), env("ANTEROOM_PROVISIONING_LEASE", value))
		if (err == nil) != (want > 0) || err == nil && c.Lease != want {
			t.Errorf("provisioning.lease: %q = %s, %v, want %s", value, c.Lease, err, want)
		}
	}
}

func TestPushedRequests(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 90 * time.Second, "10s": 10 * time.Second, "9m": 9 * time.Minute, "9s": 0, "9m1s": 0, "90": 0, "10500ms": 0} {
		c, err := Parse([]byte(minimal), env("ANTEROOM_PUSHED_REQUESTS_LIFETIME", value))
		if (err == nil) != (want > 0) || err == nil && c.PushedLifetime != want {
			t.Errorf("pushed_requests.lifetime: %q = %s, %v, want %s", value, c.PushedLifetime, err, want)
		}
	}
	for value, want := range map[string]bool{"": false, "false": false, "true": true} {
		if c, err := Parse([]byte(minimal), env("ANTEROOM_PUSHED_REQUESTS_REQUIRED", value)); err != nil || c.RequirePushed != want {
			t.Errorf("pushed_requests.required: %q = %v, %v", value, c.RequirePushed, err)
		}
	}
	if _, err := Parse([]byte(minimal), env("ANTEROOM_PUSHED_REQUESTS_REQUIRED", "yes")); err == nil || !strings.Contains(err.Error(), "ANTEROOM_PUSHED_REQUESTS_REQUIRED") {
		t.Errorf("pushed_requests.required: yes: %v", err)
	}
}

func TestPasskeysCanBeSwitchedOff(t *testing.T) {
	for value, off := range map[string]bool{"": false, "true": false, "false": true} {
		if c, err := Parse([]byte(minimal), env("ANTEROOM_PASSKEYS", value)); err != nil || c.NoPasskeys != off {
			t.Errorf("passkeys: %q: off is %v, %v", value, c.NoPasskeys, err)
		}
	}
	if _, err := Parse([]byte(minimal), env("ANTEROOM_PASSKEYS", "off")); err == nil || !strings.Contains(err.Error(), "ANTEROOM_PASSKEYS") {
		t.Errorf("passkeys: off: %v", err)
	}
}

func TestConnectorKeys(t *testing.T) {
	tests := []struct {
		key, value string
		ok         bool
	}{
		{"ISOLATION", "required", true}, {"ISOLATION", "off", true}, {"ISOLATION", "on", false},
		{"ALLOW_PORTS", "8443", true}, {"ALLOW_PORTS", "8443, 9443", true},
		{"ALLOW_PORTS", "0", false}, {"ALLOW_PORTS", "65536", false}, {"ALLOW_PORTS", "8443,", false}, {"ALLOW_PORTS", "ldap", false},
		{"UID", "61000-61099", true}, {"UID", "61000", true},
		{"UID", "0", false}, {"UID", "0-5", false}, {"UID", "9-8", false}, {"UID", "4294967295", false}, {"UID", "nobody", false}, {"UID", "1-", false},
	}
	for _, test := range tests {
		_, err := Parse([]byte(minimal), env("ANTEROOM_CONNECTORS_"+test.key, test.value))
		if (err == nil) != test.ok {
			t.Errorf("connectors %s: %s = %v, want ok %v", test.key, test.value, err, test.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "ANTEROOM_CONNECTORS_"+test.key) {
			t.Errorf("%v does not name the key", err)
		}
	}
	c, err := Parse([]byte(minimal+"connectors: {isolation: required, allow_ports: '8443, 9443', uid: 61000-61099}\n"), env())
	if err != nil || c.Isolation != "required" || !slices.Equal(c.ConnectorPorts, []uint16{8443, 9443}) || c.ConnectorUIDs != [2]int{61000, 61099} {
		t.Errorf("Parse = %+v, %v", c, err)
	}
	if c, err := Parse([]byte(minimal+"connectors: {uid: 61000}\n"), env()); err != nil || c.ConnectorUIDs != [2]int{61000, 61000} {
		t.Errorf("one user = %v, %v", c.ConnectorUIDs, err)
	}
}

func TestMetricsListen(t *testing.T) {
	tests := map[string]struct{ ok, exposed bool }{
		"": {true, false}, "127.0.0.1:9464": {true, false}, "[::1]:9464": {true, false}, "localhost:9464": {true, false},
		":9464": {true, true}, "0.0.0.0:9464": {true, true}, "[::]:9464": {true, true}, "metrics.internal:9464": {true, true},
		"9464": {false, false}, "127.0.0.1": {false, false}, "127.0.0.1:": {false, false}, "127.0.0.1:8080": {false, false},
	}
	for value, want := range tests {
		c, err := Parse([]byte(minimal), env("ANTEROOM_METRICS_LISTEN", value))
		if (err == nil) != want.ok || err == nil && (c.MetricsListen != value || c.MetricsExposed() != want.exposed) {
			t.Errorf("metrics.listen: %q = %q, exposed %v, %v, want %+v", value, c.MetricsListen, c.MetricsExposed(), err, want)
		}
	}
	if _, err := Parse([]byte(minimal+"listen: '[::1]:1'\nmetrics: {listen: '[::1]:1'}\n"), env()); err == nil || !strings.Contains(err.Error(), "metrics.listen: ") {
		t.Errorf("Parse = %v, want the public address refused", err)
	}
}

func TestBrokenYAMLHidesContent(t *testing.T) {
	_, err := Parse([]byte("database: \"postgres://u:hunter2@h\n  x: ["), env())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Parse = %v, want an error without the content", err)
	}
}

func TestDatabaseIsNotPrinted(t *testing.T) {
	c, err := Parse([]byte(minimal), env("ANTEROOM_DATABASE", "postgres://u:hunter2@h/db"))
	if err != nil || strings.Contains(fmt.Sprintf("%+v %#v", c, c), "hunter2") {
		t.Errorf("printing the configuration shows the password (%v)", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: {b: [1, {c: d}]}\n? x\n: y"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(raw, env())
		if err == nil && (c.Issuer == "" || c.Database == "" || c.SecretsKeyFile == "") {
			t.Errorf("Parse(%q) accepted a configuration without a required key", raw)
		}
	})
}
