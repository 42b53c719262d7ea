package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/status"

	"github.com/anteroom-id/anteroom/sdk"
)

// Check is one demand on a connector.
type Check struct {
	ID     string // group/name, stable
	Demand string // what the connector must do, as a sentence without a subject
	// Capability gates the check; "" means every connector.
	Capability sdk.Capability
	Proxy      bool // a misbehaving proxy before the target is needed
	Process    bool // a child process is needed
	Bare       bool // no configured instance is needed

	run func(context.Context, *Session) error
}

// Checks returns the whole table, in the order it is run.
func Checks() []Check {
	return slices.Concat(
		describeChecks(), schemaChecks(), validateChecks(), instanceChecks(),
		lookupChecks(), createChecks(), updateChecks(), getChecks(), activeChecks(), deleteChecks(), listChecks(), groupChecks(), checkChecks(),
		valueChecks(), faultChecks(), unknownChecks(), timeChecks(), concurrentChecks(),
		wireChecks(), secretChecks(), processChecks(),
	)
}

// finding is an error that fails a check.
type finding struct{ expected, seen string }

func (f *finding) Error() string { return "expected " + f.expected + ", seen " + f.seen }

// differs is the error of a check that saw something else than it must.
func differs(expected, seen string, args ...any) error {
	return &finding{expected: expected, seen: fmt.Sprintf(seen, args...)}
}

// unexpected is the error of a call that must have succeeded.
func unexpected(what string, err error) error {
	if err == nil {
		return nil
	}
	return differs(what+" succeeds", "%s", errorText(err))
}

// omitted is an error that ends a check without a verdict.
type omitted struct {
	status Status
	reason string
}

func (o *omitted) Error() string { return o.reason }

func skip(reason string) error   { return &omitted{Skipped, reason} }
func notRun(reason string) error { return &omitted{NotRun, reason} }

// findings takes an error of a check apart.
func findings(err error) []Finding {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Finding
		for _, e := range many.Unwrap() {
			all = append(all, findings(e)...)
		}
		return all
	}
	var f *finding
	if errors.As(err, &f) {
		return []Finding{{Expected: f.expected, Seen: f.seen}}
	}
	return []Finding{{Expected: "the check can be carried out", Seen: err.Error()}}
}

// errorText shows a failure with all that the protocol says of it.
func errorText(err error) string {
	if err == nil {
		return "success"
	}
	var e *sdk.Error
	if !errors.As(err, &e) {
		st := status.Convert(err)
		return fmt.Sprintf("status %s: %s", st.Code(), short(st.Message()))
	}
	text := fmt.Sprintf("%s, effect %s", e.Kind, e.Effect)
	if e.Field != "" {
		text += ", field " + e.Field
	}
	if e.RetryAfter > 0 {
		text += ", retry after " + e.RetryAfter.String()
	}
	if e.Message != "" {
		text += ": " + short(e.Message)
	}
	return text
}

// short keeps a value fit for a report.
func short(s string) string {
	const most = 120
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// oneOf lists what is allowed: "a", "a or b".
func oneOf[S ~string](values []S) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, " or ")
}

// wantKind checks the kind and the effect of a failure.
func wantKind(what string, err error, kinds []sdk.Kind, effects []sdk.Effect) error {
	e := sdk.AsError(err)
	if e != nil && slices.Contains(kinds, e.Kind) && slices.Contains(effects, e.Effect) {
		return nil
	}
	return differs(fmt.Sprintf("%s fails with %s, effect %s", what, oneOf(kinds), oneOf(effects)), "%s", errorText(err))
}

// refused checks for a failure of one kind that changed nothing.
func refused(what string, err error, kinds ...sdk.Kind) error {
	return wantKind(what, err, kinds, []sdk.Effect{sdk.EffectNone})
}
