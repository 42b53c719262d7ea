package provisioning

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// declaredKinds reads the kinds from the sdk's source, so that a new one cannot
// be forgotten here.
func declaredKinds(t *testing.T) []sdk.Kind {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../sdk/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []sdk.Kind
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Kind" {
			s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, sdk.Kind(s))
		}
		return true
	})
	if len(out) < 12 {
		t.Fatalf("found only %v", out)
	}
	return out
}

func TestEveryKindHasARow(t *testing.T) {
	fallback := policyOf("no such kind")
	if fallback.code != FailureInternal || fallback.retry != retryBackoff {
		t.Errorf("an unknown kind is %+v, want a defect that is tried again", fallback)
	}
	for _, kind := range declaredKinds(t) {
		p := policyOf(kind)
		if p.retry == "" || p.code == "" || p.text == "" || p.admin == "" {
			t.Errorf("%s: incomplete row %+v", kind, p)
		}
		if kind != sdk.KindInternal && p == fallback {
			t.Errorf("%s has no row", kind)
		}
		if (p.retry == retryNone) != (p.code != FailureUnavailable) && kind != sdk.KindInternal {
			t.Errorf("%s: retry %s with %s: what will pass is unavailable, what will not is not", kind, p.retry, p.code)
		}
	}
}

func TestPauseFor(t *testing.T) {
	tests := []struct {
		mode     retryMode
		attempts int
		told     time.Duration
		random   float64
		want     time.Duration
	}{
		{retryBackoff, 0, 0, 0.5, time.Second},
		{retryBackoff, 1, 0, 0.5, time.Second},
		{retryBackoff, 1, 0, 0, 800 * time.Millisecond},
		{retryBackoff, 3, 0, 0.5, 30 * time.Second},
		{retryBackoff, 100, 0, 0.5, time.Hour},
		{retryBackoff, 100, 0, 0.99, time.Hour},
		{retryBackoff, 1, time.Minute, 0.5, time.Minute},
		{retryAfter, 4, time.Second, 0.5, time.Second},
		{retryAfter, 2, 0, 0.5, 5 * time.Second},
		{retryAfter, 1, 48 * time.Hour, 0.5, time.Hour},
		{retrySlow, 1, 0, 0.5, 15 * time.Minute},
		{retrySlow, 50, 30 * time.Minute, 0.5, 30 * time.Minute},
	}
	for _, tt := range tests {
		if got := pauseFor(tt.mode, tt.attempts, tt.told, tt.random); got != tt.want {
			t.Errorf("pauseFor(%s, %d, %s, %v) = %s, want %s", tt.mode, tt.attempts, tt.told, tt.random, got, tt.want)
		}
	}
}

func TestGiveUpAfterAWeek(t *testing.T) {
	r := &run{Engine: &Engine{EngineOptions: EngineOptions{Now: func() time.Time { return noon }, Random: func() float64 { return 0.5 }}}}
	for age, want := range map[time.Duration]State{giveUpAfter - time.Second: StateRetrying, giveUpAfter: StateFailed} {
		a := r.failed(Account{FirstFailedAt: noon.Add(-age), Attempts: 9}, &sdk.Error{Kind: sdk.KindTransient})
		if a.State != want || (want == StateFailed) != a.NextAttemptAt.IsZero() {
			t.Errorf("failing for %s: %s, due %s, want %s", age, a.State, a.NextAttemptAt, want)
		}
	}
}
