package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

// plain has the required verbs only.
type plain struct{ cfg settings }

func (plain) Lookup(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return nil, nil }
func (plain) Create(context.Context, sdk.CreateRequest) (sdk.Account, error) {
	return sdk.Account{}, nil
}
func (plain) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{}, nil
}

// full has every verb, on its pointer.
type full struct{ plain }

func (*full) Get(context.Context, sdk.GetRequest) (sdk.Account, error) { return sdk.Account{}, nil }
func (*full) SetActive(context.Context, sdk.SetActiveRequest) (sdk.Account, error) {
	return sdk.Account{}, nil
}
func (*full) Delete(context.Context, sdk.DeleteRequest) error                     { return nil }
func (*full) List(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] { return nil }
func (*full) SetGroups(context.Context, sdk.SetGroupsRequest) error               { return nil }
func (*full) Check(context.Context) ([]sdk.CheckStep, error)                      { return nil, nil }

type settings struct {
	BaseURL string        `config:"base_url,required" help:"Root of the API."`
	Auth    string        `config:"auth" enum:"basic,bearer" default:"bearer"`
	Token   sdk.Secret    `config:"token,required,secret"`
	Proxy   sdk.Secret    `config:"proxy_password"`
	Port    int           `config:"port" default:"443"`
	Verify  bool          `config:"verify" default:"true"`
	Timeout time.Duration `config:"timeout" default:"10s"`
	Scopes  []string      `config:"scopes" default:"a,b" enum:"a,b,c"`
	Cache   map[int]int   `config:"-"`
	private int
}

func (s *settings) Validate() []sdk.Problem {
	if s.BaseURL == "https://forbidden.example" {
		return []sdk.Problem{{Field: "base_url", Message: "is not allowed"}}
	}
	return nil
}

func openPlain(_ context.Context, c settings) (plain, error) { return plain{cfg: c}, nil }

func TestDescribeReadsTagsAndType(t *testing.T) {
	c := sdk.Define("acme", "1.2.3-rc.1", openPlain, sdk.DisplayName("Acme Directory"),
		sdk.WithAttributes(sdk.Attribute{Name: "mail", Correlate: 1}))
	want := sdk.Description{
		Name: "acme", Version: "1.2.3-rc.1", DisplayName: "Acme Directory",
		Config: []sdk.Field{
			{Name: "base_url", Type: sdk.FieldString, Help: "Root of the API.", Required: true},
			{Name: "auth", Type: sdk.FieldString, Default: "bearer", Enum: []string{"basic", "bearer"}},
			{Name: "token", Type: sdk.FieldString, Required: true, Secret: true},
			{Name: "proxy_password", Type: sdk.FieldString, Secret: true},
			{Name: "port", Type: sdk.FieldInt, Default: "443"},
			{Name: "verify", Type: sdk.FieldBool, Default: "true"},
			{Name: "timeout", Type: sdk.FieldDuration, Default: "10s"},
			{Name: "scopes", Type: sdk.FieldStrings, Default: "a,b", Enum: []string{"a", "b", "c"}},
		},
		Attributes: []sdk.Attribute{{Name: "mail", Type: sdk.AttributeString, Correlate: 1}},
	}
	if diff := cmp.Diff(want, c.Describe()); diff != "" {
		t.Errorf("Describe (-want +got):\n%s", diff)
	}
}

func TestCapabilitiesComeFromTheConcreteType(t *testing.T) {
	all := []sdk.Capability{
		sdk.CapabilityGet, sdk.CapabilitySetActive, sdk.CapabilityDelete,
		sdk.CapabilityList, sdk.CapabilitySetGroups, sdk.CapabilityCheck,
	}
	c := sdk.Define("acme", "1.0.0", func(context.Context, struct{}) (*full, error) { return &full{}, nil })
	if diff := cmp.Diff(all, c.Describe().Capabilities); diff != "" {
		t.Errorf("capabilities of *full (-want +got):\n%s", diff)
	}
	byValue := sdk.Define("acme", "1.0.0", func(context.Context, struct{}) (full, error) { return full{}, nil })
	if got := byValue.Describe().Capabilities; len(got) != 0 {
		t.Errorf("capabilities of full, whose verbs need a pointer = %v, want none", got)
	}
}

func TestDefinePanicsOnAWrongDefinition(t *testing.T) {
	attribute := func(a ...sdk.Attribute) func() {
		return func() { sdk.Define("acme", "1.0.0", openPlain, sdk.WithAttributes(a...)) }
	}
	wrong := map[string]func(){
		"use lower-case":      func() { sdk.Define("../acme", "1.0.0", openPlain) },
		"no semantic version": func() { sdk.Define("acme", "1", openPlain) },
		"return your concrete type": func() {
			sdk.Define("acme", "1.0.0", func(context.Context, settings) (sdk.Target, error) { return nil, nil })
		},
		"is not a struct": func() { define[string]() },
		"type float64 is not supported": func() {
			define[struct {
				A float64 `config:"a"`
			}]()
		},
		"it needs a tag": func() { define[struct{ A string }]() },
		"it is not exported": func() {
			define[struct {
				a string `config:"a"`
			}]()
		},
		`"a" is taken by field A`: func() {
			define[struct {
				A, B string `config:"a"`
			}]()
		},
		`option "optional" is unknown`: func() {
			define[struct {
				A string `config:"a,optional"`
			}]()
		},
		"must have the type sdk.Secret": func() {
			define[struct {
				A string `config:"a,secret"`
			}]()
		},
		"neither default nor enum": func() {
			define[struct {
				A sdk.Secret `config:"a" default:"x"`
			}]()
		},
		"required field has no default": func() {
			define[struct {
				A string `config:"a,required" default:"x"`
			}]()
		},
		`default "x" must be a whole`: func() {
			define[struct {
				A int `config:"a" default:"x"`
			}]()
		},
		`default "x" must be one of y, z`: func() {
			define[struct {
				A string `config:"a" default:"x" enum:"y,z"`
			}]()
		},
		"list of strings has an enum": func() {
			define[struct {
				A int `config:"a" enum:"1,2"`
			}]()
		},
		"attribute has no name":   attribute(sdk.Attribute{}),
		"is declared twice":       attribute(sdk.Attribute{Name: "a"}, sdk.Attribute{Name: "a"}),
		"has the unknown type":    attribute(sdk.Attribute{Name: "a", Type: "blob"}),
		"not between 0 and 1000":  attribute(sdk.Attribute{Name: "a", Correlate: -1}),
		"have the same Correlate": attribute(sdk.Attribute{Name: "a", Correlate: 1}, sdk.Attribute{Name: "b", Correlate: 1}),
		"are both Owner":          attribute(sdk.Attribute{Name: "a", Owner: true}, sdk.Attribute{Name: "b", Owner: true}),
	}
	maps.Copy(wrong, wrongConditions())
	for want, define := range wrong {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) || !strings.HasPrefix(got, "sdk.Define: ") {
					t.Errorf("panic %q, want one that says %q", got, want)
				}
			}()
			define()
		})
	}
}

func define[C any]() {
	sdk.Define("acme", "1.0.0", func(context.Context, C) (plain, error) { return plain{}, nil })
}

func TestOpenDecodesWithDefaults(t *testing.T) {
	c := sdk.Define("acme", "1.0.0", openPlain)
	for name, test := range map[string]struct {
		values string
		want   settings
	}{
		"defaults": {
			`{"base_url": "https://a.example", "auth": null}`,
			settings{BaseURL: "https://a.example", Auth: "bearer", Port: 443, Verify: true, Timeout: 10 * time.Second, Scopes: []string{"a", "b"}},
		},
		"given": {
			`{"base_url": "https://b.example", "auth": "basic", "port": 0, "verify": false, "timeout": "1m30s", "scopes": []}`,
			settings{BaseURL: "https://b.example", Auth: "basic", Timeout: 90 * time.Second, Scopes: []string{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := c.Open(t.Context(), sdk.RawConfig{Values: json.RawMessage(test.values), Secrets: map[string]sdk.Secret{"token": canary}})
			if err != nil {
				t.Fatal(err)
			}
			test.want.Token = canary
			got := target.(plain).cfg
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(settings{})); diff != "" || got.Token.Reveal() != canary {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	c := sdk.Define("acme", "1.0.0", openPlain)
	cfg := sdk.RawConfig{
		Values: json.RawMessage(`{"base_url": " ", "auth": "` + canary + `", "port": 1.5, "verify": "yes",
			"timeout": 10, "scopes": ["a", "z"], "token": "` + canary + `", "colour": "red"}`),
		Secrets: map[string]sdk.Secret{"auth": canary, "password": canary},
	}
	want := []sdk.Problem{
		{Field: "base_url", Message: "is required"},
		{Field: "auth", Message: "is not a secret and must be given among the values"},
		{Field: "token", Message: "is a secret and must be given as one, not among the values"},
		{Field: "port", Message: "must be a whole number"},
		{Field: "verify", Message: "must be true or false"},
		{Field: "timeout", Message: `must be a duration such as "5s" or "1m30s"`},
		{Field: "scopes", Message: "must be one of a, b, c"},
		{Field: "colour", Message: "is not a field of this connector"},
		{Field: "password", Message: "is not a field of this connector"},
	}
	got := c.Validate(cfg)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	_, err := c.Open(t.Context(), cfg)
	for _, p := range want {
		if !strings.Contains(err.Error(), p.Field+": "+p.Message) {
			t.Errorf("Open says %q, which does not name %v", err, p)
		}
	}
	checkHidden(t, "problems", fmt.Sprint(got, err))
	if sdk.KindOf(err) != sdk.KindInvalid {
		t.Errorf("kind %q, want invalid", sdk.KindOf(err))
	}
}

func TestValidateOneProblem(t *testing.T) {
	token := map[string]sdk.Secret{"token": canary}
	for name, test := range map[string]struct {
		cfg  sdk.RawConfig
		want sdk.Problem
	}{
		"no values":       {sdk.RawConfig{Secrets: token}, sdk.Problem{Field: "base_url", Message: "is required"}},
		"no secret":       {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"u"}`)}, sdk.Problem{Field: "token", Message: "is required"}},
		"empty secret":    {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"u"}`), Secrets: map[string]sdk.Secret{"token": ""}}, sdk.Problem{Field: "token", Message: "is required"}},
		"wrong type":      {sdk.RawConfig{Values: json.RawMessage(`{"base_url":1}`), Secrets: token}, sdk.Problem{Field: "base_url", Message: "must be a string"}},
		"wrong list":      {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"u","scopes":"a"}`), Secrets: token}, sdk.Problem{Field: "scopes", Message: "must be a list of strings"}},
		"outside enum":    {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"u","auth":""}`), Secrets: token}, sdk.Problem{Field: "auth", Message: "must be one of basic, bearer"}},
		"case matters":    {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"u","Port":1}`), Secrets: token}, sdk.Problem{Field: "Port", Message: "is not a field of this connector"}},
		"not an object":   {sdk.RawConfig{Values: json.RawMessage(`[1]`), Secrets: token}, sdk.Problem{Message: "the configuration must be a JSON object"}},
		"not JSON":        {sdk.RawConfig{Values: json.RawMessage(`{} x`), Secrets: token}, sdk.Problem{Message: "the configuration must be a JSON object"}},
		"the author's no": {sdk.RawConfig{Values: json.RawMessage(`{"base_url":"https://forbidden.example"}`), Secrets: token}, sdk.Problem{Field: "base_url", Message: "is not allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := sdk.Define("acme", "1.0.0", openPlain)
			if diff := cmp.Diff([]sdk.Problem{test.want}, c.Validate(test.cfg)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			var e *sdk.Error
			if _, err := c.Open(t.Context(), test.cfg); !errors.As(err, &e) || e.Field != test.want.Field || e.Effect != sdk.EffectNone {
				t.Errorf("Open = %#v, want an error about field %q", err, test.want.Field)
			}
		})
	}
}

func TestOpenNeverReturnsNothing(t *testing.T) {
	c := sdk.Define("acme", "1.0.0", func(context.Context, struct{}) (*full, error) { return nil, nil })
	if target, err := c.Open(t.Context(), sdk.RawConfig{}); target != nil || sdk.KindOf(err) != sdk.KindInternal {
		t.Errorf("Open = %v, %v; want no target and an internal error", target, err)
	}
	c = sdk.Define("acme", "1.0.0", func(context.Context, struct{}) (*full, error) { return nil, sdk.Invalid("a", "b") })
	if target, err := c.Open(t.Context(), sdk.RawConfig{}); target != nil || sdk.KindOf(err) != sdk.KindInvalid {
		t.Errorf("Open = %v, %v; want no target and the author's error", target, err)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(`{"base_url":"u","scopes":["a"]}`, "token", "x")
	f.Add(`{"base_url":null}`, "base_url", "")
	f.Add(`nul`, "", "")
	c := sdk.Define("acme", "1.0.0", openPlain)
	f.Fuzz(func(t *testing.T, values, name, secret string) {
		cfg := sdk.RawConfig{Values: json.RawMessage(values), Secrets: map[string]sdk.Secret{name: sdk.Secret(secret)}}
		problems := c.Validate(cfg)
		_, err := c.Open(t.Context(), cfg)
		if (len(problems) == 0) != (err == nil) {
			t.Errorf("Validate = %v but Open = %v", problems, err)
		}
	})
}
