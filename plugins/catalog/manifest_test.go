package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

var zeros = strings.Repeat("0", 64)

// fields is a valid manifest, as an author writes it.
func fields() map[string]any {
	return map[string]any{
		"name": "acme", "version": "1.2.3", "protocols": []int{1}, "os": "any", "arch": "any", "digest": zeros, "schema_digest": zeros,
		"capabilities": []string{"get"}, "egress": []any{map[string]any{"host": "*.acme.com", "ports": []int{443}}}, "licence": "MIT",
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseManifest(t *testing.T) {
	got, err := ParseManifest(encode(t, fields()))
	want := Manifest{Name: "acme", Version: "1.2.3", Protocols: []int{1}, OS: "any", Arch: "any", Digest: zeros, SchemaDigest: zeros,
		Capabilities: []sdk.Capability{"get"}, Egress: []Egress{{Host: "*.acme.com", Ports: []int{443}}}, Licence: "MIT"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("manifest (-want +got):\n%s%v", diff, err)
	}
	if got.Program() != "anteroom-connector-acme" || got.Egress[0].String() != "*.acme.com:443" {
		t.Errorf("program %s, egress %s", got.Program(), got.Egress[0])
	}
}

// Every wrong field is named, and a missing one is wrong.
func TestParseManifestNamesTheField(t *testing.T) {
	file := func(path string) []any { return []any{map[string]any{"path": path, "sha256": zeros}} }
	cases := []struct {
		field string
		value any // nil takes the field away
		want  string
	}{
		{"name", "../sh", "name: must be"}, {"name", nil, "name: must be"}, {"name", 7, "name: is a JSON number"},
		{"version", "1.2", "version: must be"}, {"version", nil, "version: must be"}, {"version", "1.2.3\n", "version: must be"},
		{"protocols", []int{}, "protocols: must list"}, {"protocols", nil, "protocols: must list"},
		{"os", "Linux/x", "os: must be"}, {"os", nil, "os: must be"}, {"arch", nil, "arch: must be"},
		{"digest", strings.Repeat("A", 64), "digest: must be"}, {"digest", nil, "digest: must be"},
		{"schema_digest", "00", "schema_digest: must be"}, {"schema_digest", nil, "schema_digest: must be"},
		{"capabilities", nil, "capabilities: required"}, {"capabilities", []string{"Get It"}, "capabilities[0]: is no"},
		{"capabilities", []string{"get", "get"}, "capabilities[1]: is there twice"},
		{"egress", nil, "egress: required"}, {"licence", nil, "licence: must be"}, {"licence", "a\x1b[2J", "licence: must be"},
		{"egress", []any{map[string]any{"host": "a b", "ports": []int{443}}}, "egress[0].host: must be"},
		{"egress", []any{map[string]any{"host": "*", "ports": []int{}}}, "egress[0].ports: must list"},
		{"egress", []any{map[string]any{"host": "*", "ports": []int{70000}}}, "egress[0].ports[0]: must be"},
		{"files", file("../x"), `files[0].path: "../x" is no path`}, {"files", file("/x"), "files[0].path:"}, {"files", file("a//b"), "files[0].path:"},
		{"files", file(`a\b`), "files[0].path:"}, {"files", file("c:x"), "files[0].path:"}, {"files", file("."), "files[0].path:"},
		{"files", file("anteroom-connector-acme"), "files[0].path: is there twice"}, {"files", file("CONNECTOR.json"), "files[0].path: is there twice"},
		{"files", append(file("a"), file("A")...), "files[1].path: is there twice"},
		{"files", []any{map[string]any{"path": "a"}}, "files[0].sha256: must be"},
		{"extra", 1, `unknown field "extra"`}, {"Name", "other", `"Name": unknown field`},
	}
	for _, c := range cases {
		m := fields()
		m[c.field] = c.value
		if c.value == nil {
			delete(m, c.field)
		}
		_, err := ParseManifest(encode(t, m))
		if !errors.Is(err, ErrPackage) || !strings.Contains(err.Error(), "connector.json: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: %v, want %q", c.field, c.value, err, c.want)
		}
	}
	raw := map[string]string{
		`{"name":"acme","name":"other"}`:       "name: is there twice",
		`{"egress":[{"host":"a","host":"b"}]}`: "egress[0].host: is there twice",
		string(encode(t, fields())) + `{}`:     "behind",
		`[]`:                                   "JSON",
		``:                                     "EOF",
		`{"name":"` + strings.Repeat("x", 2<<20) + `"}`: "larger than",
	}
	for text, want := range raw {
		if _, err := ParseManifest([]byte(text)); !errors.Is(err, ErrPackage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
	if _, err := ParseManifest([]byte(`{}`)); strings.Count(err.Error(), "\n") < 8 {
		t.Errorf("an empty manifest: %v, want all its problems at once", err)
	}
}

func TestWrongProtocolAndSystemAreRefused(t *testing.T) {
	fits := map[string]any{"protocols": []int{2, 1}, "os": runtime.GOOS, "arch": runtime.GOARCH}
	wrong := map[string]any{"protocols": []int{2}, "os": "plan9", "arch": "mips"}
	said := map[string]string{"protocols": "it speaks protocol [2], this host speaks 1", "os": "the system plan9, this is " + runtime.GOOS,
		"arch": "the architecture mips, this is " + runtime.GOARCH}
	for field := range fits {
		for value, want := range map[any]string{nil: "", true: said[field]} {
			m := fields()
			maps.Copy(m, fits)
			if value != nil {
				m[field] = wrong[field]
			}
			parsed, err := ParseManifest(encode(t, m))
			if err != nil {
				t.Fatal(err)
			}
			err = parsed.Fits()
			if want == "" && err != nil || want != "" && (!errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s %v: %v, want %q", field, m[field], err, want)
			}
		}
	}
}

// A manifest that was accepted is one that survives being written and read again.
func FuzzParseManifest(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":1}`, `{"name":"a","name":"b"}`, `[[[`, `{"files":[{"path":"a/../b"}]}`} {
		f.Add([]byte(seed))
	}
	valid, _ := json.Marshal(fields())
	f.Add(valid)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest(raw)
		if err != nil {
			if !errors.Is(err, ErrPackage) || !reflect.DeepEqual(m, Manifest{}) {
				t.Errorf("refused with %v, returned %+v", err, m)
			}
			return
		}
		again, err := ParseManifest(encode(t, m))
		if err != nil || again.Content() != m.Content() {
			t.Errorf("written and read again: %v", err)
		}
	})
}

func TestManifestAgrees(t *testing.T) {
	d := sdk.Description{Name: "acme", Version: "1.2.3", Capabilities: []sdk.Capability{"get", "list"}}
	honest := Manifest{Name: "acme", Version: "1.2.3", Capabilities: []sdk.Capability{"list", "get"}, SchemaDigest: SchemaDigest(d)}
	if err := honest.Agrees(d); err != nil {
		t.Errorf("Agrees = %v", err)
	}
	lies := map[string]func(*Manifest){
		`name is "scim2"`:            func(m *Manifest) { m.Name = "scim2" },
		`version is "9.0.0"`:         func(m *Manifest) { m.Version = "9.0.0" },
		`capabilities is "get"`:      func(m *Manifest) { m.Capabilities = m.Capabilities[1:] },
		`schema_digest is "0000`:     func(m *Manifest) { m.SchemaDigest = zeros },
		`in the program`:             func(m *Manifest) { m.Version = "1.2.4" },
		`and "get list" in the prog`: func(m *Manifest) { m.Capabilities = nil },
	}
	for want, lie := range lies {
		m := honest
		lie(&m)
		if err := m.Agrees(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Agrees = %v, want %q", err, want)
		}
	}
}

// What a target depends on changes the digest, order and texts for people do not.
func TestSchemaDigest(t *testing.T) {
	base := func() sdk.Description {
		return sdk.Description{
			Config:     []sdk.Field{{Name: "b", Type: "string", Help: "x", When: sdk.Condition{Field: "a", Values: []string{"1"}}}, {Name: "a", Type: "int", Enum: []string{"1"}}},
			Attributes: []sdk.Attribute{{Name: "userName", Type: "string", Help: "x", Correlate: 1}},
		}
	}
	// The text is the contract with packagers in other languages.
	const text = `[[["a","int",false,false,"",["1"],""],["b","string",false,false,"",[],"a=1"]],[["userName","string",false,false,false,false,1,false,""]]]`
	if got := sha(text); got != SchemaDigest(base()) {
		t.Errorf("the digest is not that of\n%s", text)
	}
	same := base()
	same.Config[0], same.Config[1] = same.Config[1], same.Config[0]
	same.Config[0].Help, same.Attributes[0].Help, same.Version = "y", "y", "2.0.0"
	if SchemaDigest(same) != SchemaDigest(base()) {
		t.Error("order or help changed the digest")
	}
	for i, change := range []func(*sdk.Description){
		func(d *sdk.Description) { d.Config[0].Required = true }, func(d *sdk.Description) { d.Config[0].Secret = true },
		func(d *sdk.Description) { d.Config[0].Default = "x" }, func(d *sdk.Description) { d.Config[1].Enum = nil },
		func(d *sdk.Description) { d.Config[0].Type = "bool" }, func(d *sdk.Description) { d.Attributes[0].Source = "user.login" },
		func(d *sdk.Description) { d.Attributes[0].CreateOnly = true }, func(d *sdk.Description) { d.Attributes = nil },
	} {
		d := base()
		change(&d)
		if SchemaDigest(d) == SchemaDigest(base()) {
			t.Errorf("change %d does not change the digest", i)
		}
	}
}

func TestLock(t *testing.T) {
	l := NewLock([]Locked{{"scim2", "1.0.0", zeros, zeros}, {"acme", "2.0.0", zeros, zeros}})
	text := l.Text()
	if !bytes.HasSuffix(text, []byte("}\n")) || bytes.Index(text, []byte("acme")) > bytes.Index(text, []byte("scim2")) {
		t.Errorf("the file is not in order:\n%s", text)
	}
	back, err := ParseLock(text)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Text(), text) {
		t.Errorf("written again it differs:\n%s", back.Text())
	}
	if c, ok := back.Find("scim2"); !ok || c.Version != "1.0.0" {
		t.Errorf("Find = %+v, %v", c, ok)
	}
	if _, ok := back.Find("ldap"); ok {
		t.Error("found what is not there")
	}
	if empty, err := ParseLock(NewLock(nil).Text()); err != nil || len(empty.Connectors) != 0 {
		t.Errorf("an empty lock: %v", err)
	}
	ok := `{"name":"a","version":"1","digest":"` + zeros + `","schema_digest":"` + zeros + `"}`
	for text, want := range map[string]string{
		`{}`:                                   "lock_version: is 0",
		`{"lock_version":2}`:                   "lock_version: is 2",
		`{"lock_version":1}`:                   "connectors: required",
		`{"lock_version":1,"connectors":[{}]}`: "connectors[0].digest: must be",
		`{"lock_version":1,"connectors":[` + ok + `,` + ok + `]}`:       "connectors[1].name: a is there twice",
		`{"lock_version":1,"connectors":[{"name":"a","sha":"x"}]}`:      `unknown field "sha"`,
		`{"lock_version":1,"connectors":[` + ok + `]} x`:                "behind",
		`{"lock_version":1,"connectors":[{"name":"a","name":"b"}]}`:     "connectors[0].name: is there twice",
		`{"lock_version":1,"connectors":[{"name":"a","digest":"` + "` ": "EOF",
	} {
		if _, err := ParseLock([]byte(text)); !errors.Is(err, ErrLock) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(NewLock([]Locked{{"a", "1.0.0", zeros, zeros}}).Text())
	f.Add([]byte(`{"lock_version":1,"connectors":[{"name":"a","name":"b"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseLock(raw)
		if err != nil {
			return
		}
		again, err := ParseLock(l.Text())
		if err != nil || !bytes.Equal(again.Text(), l.Text()) {
			t.Errorf("written and read again: %v", err)
		}
	})
}

func TestCompare(t *testing.T) {
	from := sdk.Description{
		Capabilities: []sdk.Capability{"delete", "get"},
		Config: []sdk.Field{{Name: "auth", Type: "string", Enum: []string{"basic", "bearer"}}, {Name: "gone", Type: "string"},
			{Name: "limit", Type: "int"}, {Name: "same", Type: "string", Help: "x"}, {Name: "url", Type: "string"}},
		Attributes: []sdk.Attribute{{Name: "email", Type: "string", Source: "user.email"}, {Name: "nick", Type: "string"}},
	}
	to := sdk.Description{
		Capabilities: []sdk.Capability{"get", "list"},
		Config: []sdk.Field{{Name: "auth", Type: "string", Enum: []string{"bearer", "mtls"}}, {Name: "extra", Type: "bool"}, {Name: "key", Type: "string", Secret: true, Required: true},
			{Name: "limit", Type: "duration"}, {Name: "same", Type: "string", Help: "y"}, {Name: "url", Type: "string", Required: true, Default: "x"}},
		Attributes: []sdk.Attribute{{Name: "dept", Type: "string", Required: true}, {Name: "email", Type: "string", Required: true, Source: "user.email"}},
	}
	want := []Change{
		{"config auth", "values [basic bearer] became [bearer mtls]", true},
		{"config extra", "added, bool", false},
		{"config gone", "removed", true},
		{"config key", "added, string, secret, required", true},
		{"config limit", "type int became duration", true},
		{"config url", "became required", true},
		{"config url", `default "" became "x"`, false},
		{"attribute dept", "added, string, required", true},
		{"attribute email", "became required", false},
		{"attribute nick", "removed", true},
		{"capability delete", "removed", true},
		{"capability list", "added", false},
	}
	if diff := cmp.Diff(want, Compare(from, to)); diff != "" {
		t.Errorf("Compare (-want +got):\n%s", diff)
	}
	if got := Compare(from, from); len(got) != 0 {
		t.Errorf("a version compared with itself: %v", got)
	}
}
