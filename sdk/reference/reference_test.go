package reference

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestMarkdown(t *testing.T) {
	got := Markdown(sdk.Description{
		Name: "acme", Version: "1.2.3", DisplayName: "Acme", Capabilities: []sdk.Capability{sdk.CapabilityDelete},
		Config: []sdk.Field{
			{Name: "auth", Type: sdk.FieldString, Enum: []string{"none", "bearer"}, Default: "none", Help: "How | why\nnot."},
			{Name: "token", Type: sdk.FieldString, Required: true, Secret: true, Group: "Access", Help: "A token.",
				When: sdk.Condition{Field: "auth", Values: []string{"bearer"}}},
			{Name: "scopes", Type: sdk.FieldStrings},
		},
		Attributes: []sdk.Attribute{
			{Name: "id", Type: sdk.AttributeString, Owner: true, Correlate: 1, CreateOnly: true, CaseExact: true},
			{Name: "mails", Type: sdk.AttributeString, Required: true, MultiValued: true, Source: "user.email", Secret: true, Help: "Addresses."},
		},
	})
	want := "# Acme\n\n" +
		"Connector `acme`, version 1.2.3. This page is generated from the connector; `anteroom connector inspect acme` shows the same.\n\n" +
		"## Configuration\n\n| field | type | | default | |\n|---|---|---|---|---|\n" +
		"| `auth` | one of `none`, `bearer` | optional | `none` | How \\| why not. |\n" +
		"| `scopes` | list of strings | optional | | |\n" +
		"| `token` | secret | required when `auth` is `bearer` | | Access: A token. |\n\n" +
		"Secrets are given under `secrets`, the other fields under `config`; see [resources.md](../resources.md).\n\n" +
		"## Attributes\n\n| attribute | type | | mapped from | |\n|---|---|---|---|---|\n" +
		"| `id` | string | key 1, holds whose account it is, set once, case matters | `user.id`, always | |\n" +
		"| `mails` | list of string | required, not shown | `user.email` | Addresses. |\n\n" +
		"Lookups try the keys in the order given. What an attribute is mapped from is the default; a target's `mapping` changes it.\n\n" +
		"## Capabilities\n\n| capability | | |\n|---|---|---|\n" +
		"| `get` | no | an account is changed without being read |\n| `set_active` | no | accounts cannot be suspended |\n" +
		"| `delete` | yes | accounts can be deleted |\n| `list` | no | drift cannot be reported |\n" +
		"| `set_groups` | no | groups are not set |\n" +
		"| `check` | no | `anteroom target check` cannot try the configuration |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingToConfigure(t *testing.T) {
	got := Markdown(sdk.Description{Name: "x", Version: "1.0.0", DisplayName: "X"})
	if strings.Count(got, "\n\nNone.\n") != 2 {
		t.Errorf("a connector without fields and attributes:\n%s", got)
	}
}

// TestEveryFieldIsOnThePage finds a field of the description that is new and
// forgotten here: each, when set, changes the page.
func TestEveryFieldIsOnThePage(t *testing.T) {
	base := func() sdk.Description {
		return sdk.Description{Config: []sdk.Field{{Name: "a"}, {Name: "b"}}, Attributes: []sdk.Attribute{{Name: "a"}}}
	}
	plain := Markdown(base())
	for name, of := range map[string]func(*sdk.Description) any{
		"Field":     func(d *sdk.Description) any { return &d.Config[0] },
		"Attribute": func(d *sdk.Description) any { return &d.Attributes[0] },
	} {
		d := base()
		typ := reflect.TypeOf(of(&d)).Elem()
		for i := range typ.NumField() {
			d := base()
			set(t, reflect.ValueOf(of(&d)).Elem().Field(i))
			if Markdown(d) == plain {
				t.Errorf("%s.%s is nowhere on the page", name, typ.Field(i).Name)
			}
		}
	}
}

func set(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("other")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{"other"}))
	case reflect.Struct:
		v.Set(reflect.ValueOf(sdk.Condition{Field: "a", Values: []string{"x"}}))
	default:
		t.Fatalf("teach the test about %s", v.Type())
	}
}
