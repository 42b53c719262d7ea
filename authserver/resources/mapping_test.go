package resources

import (
	"strings"
	"testing"
)

const mapped = `
targets:
  - name: directory
    connector: scim2
    config: {base_url: "http://127.0.0.1:1/scim/v2", auth: bearer}
    secrets: {token: {env: TOKEN}}
    mapping:
      - {attribute: userName, unique: {candidates: [user.login, "user.email.slug()"], suffix: {}}}
      - {attribute: nickName, unique: {candidates: [user.login]}}
      - {attribute: phone, uuid: true}
      - {attribute: displayName, expression: "user.given_name + ' ' + user.family_name", apply: on_create, on_null: omit, on_error: omit}
      - {attribute: title, source: claims.title, default: Staff}
      - {attribute: emails, source: user.email, on_null: default, default: [a@example.com]}
    maps: {roles: {staff: CRM_USER}}
`

// What a mapping says is stored, exported and compared key by key.
func TestMappingRoundTrip(t *testing.T) {
	b, _ := newBackend(t)
	apply(t, b, mapped)
	appliesAgain(t, b)
	for change, want := range map[string][2]string{
		"mapping.displayName.apply: on_create → on_update":                                      {"apply: on_create", "apply: on_update"},
		"mapping.displayName.on_error: omit → (none)":                                           {", on_error: omit", ""},
		"mapping.userName.unique.suffix.max: 99 → 7":                                            {"suffix: {}", "suffix: {max: 7}"},
		"mapping.userName.unique.candidates: user.login, user.email.slug() → user.email.slug()": {`[user.login, "`, `["`},
		"mapping.phone.uuid: true → (none)":                                                     {"uuid: true", "source: user.phone_number"},
		"maps.roles.staff: CRM_USER → ADMIN":                                                    {"CRM_USER", "ADMIN"},
		"mapping.title.default: Staff → Boss":                                                   {"default: Staff", "default: Boss"},
		"mapping.displayName.expression: user.given_name + ' ' + user.family_name → user.name":  {"user.given_name + ' ' + user.family_name", "user.name"},
	} {
		changed := strings.Replace(mapped, want[0], want[1], 1)
		if got := apply(t, b, changed); !strings.Contains(got, change+"\n") {
			t.Errorf("a change is shown as\n%s\nwithout %s", got, change)
		}
		apply(t, b, mapped)
	}
}

func TestMappingProblemsArePlaced(t *testing.T) {
	for rule, want := range map[string]string{
		"{attribute: a}": "targets[0].mapping[0]: give one of source",
		"{attribute: a, source: user.id, expression: b}":                  "targets[0].mapping[0]: has both source and expression: give one",
		"{attribute: a, unique: {candidates: []}}":                        "targets[0].mapping[0]: unique: candidates: must be 1 to 10 expressions",
		"{attribute: a, unique: {candidates: [a], suffix: {start: 100}}}": "targets[0].mapping[0]: unique: suffix: must run from",
		"{attribute: a, uuid: true, apply: on_update}":                    "targets[0].mapping[0]: apply: a uuid value is made on_create and kept",
		"{attribute: a, source: user.id, apply: never}":                   `targets[0].mapping[0]: apply: "never" is not one of always, on_create, on_update`,
		"{attribute: a, source: user.id, on_null: default}":               "targets[0].mapping[0]: on_null: default needs a default",
		"{attribute: a, source: user.id, on_error: omit}":                 "targets[0].mapping[0]: on_error: only an expression can fail",
		"{attribute: a, source: user.id, on_null: no}":                    `on_null: "no" is not one of fail, omit, clear, default`,
		"{attribute: a, constant: x, default: y}":                         "on_null: a constant is never without a value",
		"{attribute: a, expression: user.id, on_error: ignore}":           `on_error: "ignore" is not one of fail, omit`,
	} {
		doc, err := Parse([]byte("targets: [{name: a, connector: scim2, mapping: [" + rule + "]}]"))
		if err != nil {
			t.Fatal(err)
		}
		if p := doc.Check(); len(p) != 1 || !strings.Contains(p[0].String(), want) {
			t.Errorf("%s: %v, want %q", rule, p, want)
		}
	}
}
