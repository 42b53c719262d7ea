package sdk_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

// conditional is a configuration whose fields depend on each other.
type conditional struct {
	Auth     string        `config:"auth,required" enum:"basic,bearer,none" group:"Sign-in"`
	Username string        `config:"username,required" when:"auth=basic" group:"Sign-in" order:"2"`
	Password sdk.Secret    `config:"password,required" when:"auth=basic"`
	Token    sdk.Secret    `config:"token,required" when:"auth=bearer"`
	Proxy    bool          `config:"proxy" order:"-1" when:"auth=basic,bearer"`
	Host     string        `config:"proxy_host" when:"proxy=true" default:"localhost"`
	Wait     time.Duration `config:"wait" when:"proxy_host=slow.example" default:"1m"`
}

func defineConditional() sdk.Connector {
	return sdk.Define("acme", "1.0.0", func(_ context.Context, c conditional) (*conditionalTarget, error) {
		return &conditionalTarget{cfg: c}, nil
	})
}

type conditionalTarget struct {
	plain
	cfg conditional
}

func TestDescriptionCarriesTheForm(t *testing.T) {
	d := defineConditional().Describe()
	var names []string
	for _, f := range d.Form() {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"proxy", "password", "token", "proxy_host", "wait", "auth", "username"}, names); diff != "" {
		t.Errorf("order of the form (-want +got):\n%s", diff)
	}
	if d.Config[0].Name != "auth" {
		t.Error("Form changed the description")
	}
	want := sdk.Field{
		Name: "username", Type: sdk.FieldString, Required: true, Order: 2, Group: "Sign-in",
		When: sdk.Condition{Field: "auth", Values: []string{"basic"}},
	}
	if diff := cmp.Diff(want, d.Config[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b, err := json.Marshal(d.Config[0])
	if err != nil || string(b) != `{"name":"auth","type":"string","enum":["basic","bearer","none"],"required":true,"group":"Sign-in"}` {
		t.Errorf("JSON %s, %v", b, err)
	}
}

// TestConditionsDecideWhatIsRequiredAndUsed is the table of what a condition
// does.
func TestConditionsDecideWhatIsRequiredAndUsed(t *testing.T) {
	both := map[string]sdk.Secret{"token": "t", "password": "p"}
	for name, test := range map[string]struct {
		values  string
		secrets map[string]sdk.Secret
		want    conditional
		problem string // field and message
	}{
		"holds, missing":         {`{"auth":"bearer"}`, nil, conditional{}, "token is required"},
		"holds, given":           {`{"auth":"bearer"}`, both, conditional{Auth: "bearer", Token: "t"}, ""},
		"others need theirs":     {`{"auth":"basic"}`, both, conditional{}, "username is required"},
		"nothing applies":        {`{"auth":"none"}`, nil, conditional{Auth: "none"}, ""},
		"given in vain":          {`{"auth":"none","username":"u","proxy":true,"proxy_host":"h"}`, both, conditional{Auth: "none"}, ""},
		"given in vain, wrong":   {`{"auth":"none","username":7}`, nil, conditional{}, "username must be a string"},
		"on a bool, default":     {`{"auth":"bearer","proxy":true}`, both, conditional{Auth: "bearer", Token: "t", Proxy: true, Host: "localhost"}, ""},
		"on what has a default":  {`{"auth":"bearer","proxy":true,"proxy_host":"slow.example"}`, both, conditional{Auth: "bearer", Token: "t", Proxy: true, Host: "slow.example", Wait: time.Minute}, ""},
		"on what does not apply": {`{"auth":"bearer","proxy_host":"slow.example","wait":"2m"}`, both, conditional{Auth: "bearer", Token: "t"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, cfg := defineConditional(), sdk.RawConfig{Values: json.RawMessage(test.values), Secrets: test.secrets}
			if test.problem != "" {
				problems := c.Validate(cfg)
				if len(problems) != 1 || problems[0].Field+" "+problems[0].Message != test.problem {
					t.Errorf("problems %v, want %q", problems, test.problem)
				}
				return
			}
			target, err := c.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			reveal := cmp.Transformer("reveal", func(s sdk.Secret) string { return s.Reveal() })
			if diff := cmp.Diff(test.want, target.(*conditionalTarget).cfg, reveal); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// wrongConditions are definitions that must not be possible, by what is wrong.
func wrongConditions() map[string]func() {
	return map[string]func(){
		"is not written as": define[struct {
			A string `config:"a"`
			B string `config:"b" when:"a"`
		}],
		"names no field that comes before": define[struct {
			A string `config:"a" when:"b=x"`
			B string `config:"b"`
		}],
		"is no plain string or bool": define[struct {
			A int    `config:"a"`
			B string `config:"b" when:"a=1"`
		}],
		"can never hold: a is one of x, y": define[struct {
			A string `config:"a" enum:"x,y"`
			B string `config:"b" when:"a=x,z"`
		}],
		"can never hold: a is one of true, false": define[struct {
			A bool   `config:"a"`
			B string `config:"b" when:"a=yes"`
		}],
		`order "first" is not a whole number`: define[struct {
			A string `config:"a" order:"first"`
		}],
	}
}
