package salesforce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// schema is what jsforce's types say of the standard objects: by object, the
// TypeScript type of each field, and the names of the relationships to parents.
type schema map[string]struct{ fields, parents map[string]string }

var (
	declaration = regexp.MustCompile(`(?s)type (Fields|ParentReferences)\$(\w+) = \{(.*?)\n\};`)
	member      = regexp.MustCompile(`(?m)^\s+(\w+): ([^;]+);$`)
)

func parseSchema(t *testing.T, text string) schema {
	t.Helper()
	s := schema{}
	for _, match := range declaration.FindAllStringSubmatch(text, -1) {
		object := s[match[2]]
		members := map[string]string{}
		for _, m := range member.FindAllStringSubmatch(match[3], -1) {
			members[m[1]] = m[2]
		}
		if match[1] == "Fields" {
			object.fields = members
		} else {
			object.parents = members
		}
		s[match[2]] = object
	}
	return s
}

func jsforceSchema(t *testing.T) schema {
	t.Helper()
	long(t)
	path := filepath.Join(peers.Package(t, "@jsforce/jsforce-node"), "lib", "types", "standard-schema.d.ts")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := parseSchema(t, string(text))
	if n := len(s["User"].fields); n != 163 {
		t.Fatalf("User has %d fields in jsforce's types, want 163: they are not read as they are written", n)
	}
	return s
}

// fits says why a JSON value is none of the field's, "" if it is.
func (s schema) fits(object, field string, value any) string {
	if field == "attributes" { // of every record of a query
		return ""
	}
	typ, known := s[object].fields[field]
	if !known {
		if _, related := s[object].parents[field]; related {
			return ""
		}
		return "there is no such field"
	}
	types := strings.Split(typ, " | ")
	ok := false
	switch value.(type) {
	case nil:
		ok = slices.Contains(types, "null")
	case string:
		ok = slices.Contains(types, "string") || slices.Contains(types, "DateString")
	case bool:
		ok = slices.Contains(types, "boolean")
	case float64:
		ok = slices.Contains(types, "number")
	}
	if !ok {
		return fmt.Sprintf("%v is no %s", value, typ)
	}
	return ""
}

// TestTypesAreRead proves that the comparison can fail.
func TestTypesAreRead(t *testing.T) {
	s := parseSchema(t, "type Fields$User = {\n    Id: string;\n    Title: string | null;\n    IsActive: boolean;\n};\ntype ParentReferences$User = {\n    Profile: X;\n};\n")
	for _, c := range []struct {
		field string
		value any
		ok    bool
	}{
		{"Id", "x", true}, {"Id", nil, false}, {"Title", nil, true}, {"Title", 1.0, false}, {"IsActive", true, true}, {"IsActive", "true", false},
		{"Profile", map[string]any{}, true}, {"Nothing", "x", false},
	} {
		if wrong := s.fits("User", c.field, c.value); (wrong == "") != c.ok {
			t.Errorf("%s %v: %q", c.field, c.value, wrong)
		}
	}
}

// TestAttributesAreFieldsOfUser compares the declaration: everything is a text
// there, too, and can be removed where Salesforce can do without.
func TestAttributesAreFieldsOfUser(t *testing.T) {
	s := jsforceSchema(t)
	demanded := []string{"Alias", "CommunityNickname", "ProfileId", "TimeZoneSidKey", "LocaleSidKey", "LanguageLocaleKey", "EmailEncodingKey"}
	for _, a := range salesforce.Connector().Describe().Attributes {
		want := "string | null"
		if a.Required || slices.Contains(demanded, a.Name) {
			want = "string"
		}
		if got := s["User"].fields[a.Name]; got != want {
			t.Errorf("%s is %q there, want %q", a.Name, got, want)
		}
	}
}

// TestFakeDescribesFieldsOfUser compares what the fake says of itself.
func TestFakeDescribesFieldsOfUser(t *testing.T) {
	s := jsforceSchema(t)
	kinds := map[string]string{
		"id": "string", "string": "string", "email": "string", "picklist": "string", "reference": "string", "boolean": "boolean",
	}
	for _, f := range fake.New(fake.Options{}).Fields("User") {
		want := kinds[f.Type]
		if f.Nillable {
			want += " | null"
		}
		if got := s["User"].fields[f.Name]; got != want {
			t.Errorf("%s is %q there and %q in the fake", f.Name, got, want)
		}
	}
}

// wire notes every field of every record that passes.
type wire struct {
	next http.Handler
	mu   sync.Mutex
	seen map[string][]any // by "Object.Field": its values
}

func (w *wire) note(object string, record map[string]any) {
	for field, value := range record {
		key := object + "." + field
		w.seen[key] = append(w.seen[key], value)
	}
}

var selected = regexp.MustCompile(`^SELECT (.*) FROM (\w+)`)

// ServeHTTP looks at the body and the query on the way in, and at records on the
// way out.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, path, _ := strings.Cut(r.URL.Path, "/sobjects/")
	object, _, _ := strings.Cut(path, "/")
	sent := map[string]any{}
	if object != "" && json.Unmarshal(body, &sent) == nil {
		w.note(object, sent)
	}
	if q := selected.FindStringSubmatch(r.URL.Query().Get("q")); q != nil {
		object = q[2]
	}
	recorder := httptest.NewRecorder()
	w.next.ServeHTTP(recorder, r)
	var got struct{ Records []map[string]any }
	read := map[string]any{}
	switch {
	case r.Method != http.MethodGet || object == "" || strings.HasSuffix(r.URL.Path, "/describe"):
	case json.Unmarshal(recorder.Body.Bytes(), &got) == nil && got.Records != nil:
		for _, record := range got.Records {
			w.note(object, record)
		}
	case recorder.Code == http.StatusOK && json.Unmarshal(recorder.Body.Bytes(), &read) == nil:
		w.note(object, read)
	}
	maps.Copy(rw.Header(), recorder.Header())
	rw.WriteHeader(recorder.Code)
	_, _ = rw.Write(recorder.Body.Bytes())
}

// TestEveryFieldOnTheWireExists uses all verbs and compares each field that was
// sent or read, with its value.
func TestEveryFieldOnTheWireExists(t *testing.T) {
	s := jsforceSchema(t)
	w := &wire{next: fake.New(orgOptions(t)), seen: map[string][]any{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	cfg := config(t, server.URL)
	cfg.PermissionSets, cfg.PublicGroups = []string{"Sales_Ops"}, []string{"All_Sales"}
	useEverything(t, open(t, cfg))

	for _, key := range slices.Sorted(maps.Keys(w.seen)) {
		object, field, _ := strings.Cut(key, ".")
		for _, value := range w.seen[key] {
			if wrong := s.fits(object, field, value); wrong != "" {
				t.Errorf("%s: %s", key, wrong)
				break
			}
		}
	}
	var objects []string
	for key := range w.seen {
		object, _, _ := strings.Cut(key, ".")
		objects = append(objects, object)
	}
	slices.Sort(objects)
	want := []string{"Group", "GroupMember", "PermissionSet", "PermissionSetAssignment", "Profile", "User"}
	if diff := cmp.Diff(want, slices.Compact(objects)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for _, a := range salesforce.Connector().Describe().Attributes {
		if len(w.seen["User."+a.Name]) < 2 {
			t.Errorf("%s was not sent and read", a.Name)
		}
	}
}

// useEverything makes an account with every attribute, changes it, empties it,
// suspends it and puts it into groups.
func useEverything(t *testing.T, target *salesforce.Target) {
	t.Helper()
	b := bench{target: target}
	boss := b.create(t, ada())
	all := sdk.Attributes{"ManagerId": boss, "ProfileId": b.get(t, boss).Attributes.String("ProfileId"), "TimeZoneSidKey": "GMT",
		"LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8"}
	var clearable []string
	for _, a := range salesforce.Connector().Describe().Attributes {
		switch {
		case all[a.Name] != nil || a.Name == "UserRoleId":
		case a.Name == "Username" || a.Name == "Email":
			all[a.Name] = "all@example.com"
		default:
			all[a.Name] = "x" + a.Name[:min(len(a.Name), 5)]
		}
		if !a.Required && a.Name != "Alias" && a.Name != "CommunityNickname" {
			clearable = append(clearable, a.Name)
		}
	}
	id := b.create(t, all)
	for _, update := range []sdk.UpdateRequest{{ID: id, Set: all}, {ID: id, Clear: clearable}} {
		if _, err := target.Update(t.Context(), update); err != nil {
			t.Fatal(err)
		}
	}
	b.get(t, id)
	b.lookup(t, "Username", "all@example.com")
	if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: id}); err != nil {
		t.Fatal(err)
	}
	for _, groups := range [][]string{{"Sales_Ops", "All_Sales"}, nil} {
		if err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: groups}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range target.List(t.Context(), sdk.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := target.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}
