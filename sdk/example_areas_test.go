package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// DirectoryConfig has two ways to sign in; each needs a secret of its own.
type DirectoryConfig struct {
	Auth     string     `config:"auth" enum:"basic,bearer" default:"bearer" group:"Sign-in"`
	Password sdk.Secret `config:"password,required" when:"auth=basic" group:"Sign-in"`
	Token    sdk.Secret `config:"token,required" when:"auth=bearer" group:"Sign-in"`
	BaseURL  string     `config:"base_url,required" order:"-1"`
}

func ExampleCondition() {
	connector := sdk.Define("acme", "1.0.0", func(context.Context, DirectoryConfig) (*Acme, error) { return &Acme{}, nil })
	for _, f := range connector.Describe().Form() {
		fmt.Printf("%s %s: when %q\n", f.Group, f.Name, f.When)
	}
	cfg := sdk.RawConfig{Values: json.RawMessage(`{"auth": "basic", "base_url": "https://acme.example"}`)}
	fmt.Println(connector.Validate(cfg))
	// Output:
	//  base_url: when ""
	// Sign-in auth: when ""
	// Sign-in password: when "auth=basic"
	// Sign-in token: when "auth=bearer"
	// [{password is required}]
}

// Who reads the description of a connector in another language checks it first.
func ExampleDescription_Problems() {
	d := sdk.Description{Name: "acme", Version: "1", Config: []sdk.Field{{Name: "token", Type: sdk.FieldString, Secret: true, Default: "x"}}}
	for _, p := range d.Problems() {
		fmt.Println(p.Field, p.Message)
	}
	// Output:
	// version "1" is no semantic version such as 1.2.3
	// config field "token": a secret has neither default nor enum
}

func ExampleSecret() {
	token := sdk.Secret("s3cret")
	fmt.Println(token)
	fmt.Printf("%#v %q\n", token, fmt.Sprint("token ", token))
	request, _ := http.NewRequest(http.MethodGet, "https://acme.example", nil)
	request.Header.Set("Authorization", "Bearer "+token.Reveal()) // the one place that sends it
	// Output:
	// ***
	// *** "token ***"
}

func ExampleRedactor_Excerpt() {
	r := sdk.NewRedactor("s3cret-token")
	fmt.Println(r.Excerpt("Bearer s3cret-token:\n\tada@example.com is taken", "ada@example.com"))
	// Output: Bearer ***:  … is taken
}

func ExampleFromResponse() {
	answer := &http.Response{
		StatusCode: http.StatusTooManyRequests,
		Header:     http.Header{"Retry-After": {"30"}},
		Body:       io.NopCloser(strings.NewReader("slow down")),
	}
	err := sdk.FromResponse(answer, sdk.NewRedactor("s3cret-token"))
	fmt.Println(err)
	fmt.Println(err.Effect, err.RetryAfter)
	// Output:
	// rate_limited: the target answered 429 Too Many Requests: slow down
	// none 30s
}

// An error of a verb says which kind it is and whether the target was changed.
func ExampleError() {
	for _, err := range []error{
		sdk.Invalid("mail", "must have an @"),
		sdk.Conflict("the name is taken"),
		sdk.OutcomeUnknown(io.ErrUnexpectedEOF),
		errors.New("a plain error is a defect"),
	} {
		e := sdk.AsError(err)
		fmt.Printf("%s, effect %s, field %q\n", e.Kind, e.Effect, e.Field)
	}
	// Output:
	// invalid, effect none, field "mail"
	// conflict, effect none, field ""
	// outcome_unknown, effect unknown, field ""
	// internal, effect unknown, field ""
}

// A directory that needs a manager's word accepts the request and says when to
// look again.
func ExamplePending() {
	create := func(context.Context, sdk.CreateRequest) (sdk.Account, error) {
		return sdk.Account{}, sdk.Pending(10*time.Minute, "Your manager must approve the account.")
	}
	_, err := create(context.Background(), sdk.CreateRequest{})
	fmt.Println(err)
	fmt.Println(sdk.AsError(err).RetryAfter)
	// Output:
	// pending: Your manager must approve the account.
	// 10m0s
}

// The host sees the records of the logger it gives to every call; a test sees
// them with a logger of its own.
func ExampleLogger() {
	lookup := func(ctx context.Context) {
		sdk.Logger(ctx).Warn("the directory answers slowly", "took", 3*time.Second)
	}
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: untimed}))
	lookup(sdk.WithLogger(context.Background(), log))
	// Output: level=WARN msg="the directory answers slowly" took=3s
}

// Who does not use package sdkhttp sends the trace on by hand.
func ExampleTraceOf() {
	ctx := sdk.WithTrace(context.Background(), sdk.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://acme.example", nil)
	if trace := sdk.TraceOf(ctx); trace.Parent != "" {
		request.Header.Set("Traceparent", trace.Parent)
	}
	fmt.Println(sdk.TraceOf(ctx).ID())
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736
}

func ExampleAttributes() {
	a := sdk.Attributes{"name": "ada", "mail": []any{"ada@example.com", "ada@example.org"}, "admin": false}
	admin, known := a.Bool("admin")
	fmt.Println(a.String("name"), a.String("mail"), a.Strings("mail"), a.Strings("phone"), admin, known)
	// Output: ada ada@example.com [ada@example.com ada@example.org] [] false true
}

// A Lister yields accounts as they come, and ends with the first error.
func ExampleLister() {
	pages := [][]sdk.Account{{{ID: "1"}, {ID: "2"}}, {{ID: "3"}}}
	var list func(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] = func(ctx context.Context, _ sdk.ListRequest) iter.Seq2[sdk.Account, error] {
		return func(yield func(sdk.Account, error) bool) {
			for _, page := range pages {
				for _, a := range page {
					if !yield(a, ctx.Err()) {
						return
					}
				}
			}
		}
	}
	for a, err := range list(context.Background(), sdk.ListRequest{PageSize: 2}) {
		fmt.Println(a.ID, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}
