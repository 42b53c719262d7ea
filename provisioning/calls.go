package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// effectful says whether a verb may change the target.
type effectful bool

// call makes one call of a connector: intent first, then the verb within its
// deadline, then the record. The error is an [*sdk.Error] or a ledgerError.
func (r *run) call(ctx context.Context, verb, key string, changes effectful, fn func(ctx context.Context) (string, error)) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	start := r.Now()
	ctx, cancel := context.WithTimeout(ctx, r.held.budget(start))
	defer cancel()
	if ctx.Err() != nil { // nothing may go out any more under this lease
		return broken(errors.Join(ErrLeaseLost, context.Cause(ctx)))
	}
	result, err := fn(r.traced(ctx))
	call := Call{Verb: verb, Key: key, Took: r.Now().Sub(start), Result: result}
	failure := classify(err, changes)
	if failure != nil {
		call.Result, call.Detail = string(failure.Kind), clip(failure.Message)
	}
	r.attempt.Calls = append(r.attempt.Calls, call)
	if failure != nil {
		return failure
	}
	return nil
}

// traced lets the call belong to the attempt: the trace's id is the attempt's, so
// that what the connector logs, and the target if it keeps traces, is found by it.
func (r *run) traced(ctx context.Context) context.Context {
	trace := strings.ReplaceAll(string(r.attempt.ID), "-", "")
	return sdk.WithTrace(ctx, sdk.Trace{Parent: fmt.Sprintf("00-%s-%016x-00", trace, len(r.attempt.Calls)+1)})
}

// classify returns what a verb's error means; nil for nil. A deadline that ran
// out leaves the outcome open if the verb changes something.
func classify(err error, changes effectful) *sdk.Error {
	e := sdk.AsError(err)
	if e == nil {
		return nil
	}
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	var typed *sdk.Error
	switch {
	case late && !errors.As(err, &typed) && bool(changes):
		return &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Message: "no answer in time", Err: err}
	case late && !errors.As(err, &typed):
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "no answer in time", Err: err}
	case !bool(changes):
		clean := *e
		clean.Effect = sdk.EffectNone
		return &clean
	default:
		return e
	}
}

// refused records a failure that happened before any verb.
func (r *run) refused(ctx context.Context, step string, err error) error {
	return r.call(ctx, step, "", false, func(context.Context) (string, error) { return "", err })
}

func (r *run) get(ctx context.Context) (sdk.Account, error) {
	var out sdk.Account
	err := r.call(ctx, "get", "", false, func(ctx context.Context) (string, error) {
		var err error
		out, err = r.conn.Getter.Get(ctx, sdk.GetRequest{ID: r.account.ExternalID})
		if err == nil && out.ID != r.account.ExternalID {
			err = defect("get answered with another account")
		}
		return "found", err
	})
	return out, err
}

func (r *run) lookupBy(ctx context.Context, a sdk.Attribute, value string) ([]sdk.Account, error) {
	var out []sdk.Account
	err := r.call(ctx, "lookup", a.Name, false, func(ctx context.Context) (string, error) {
		answer, err := r.conn.Lookup(ctx, sdk.LookupRequest{Key: a.Name, Value: value})
		if err != nil {
			return "", err
		}
		out, err = matching(answer, a, value)
		return fmt.Sprintf("%d accounts", len(out)), err
	})
	return out, err
}

func (r *run) update(ctx context.Context, found sdk.Account, set sdk.Attributes, clear []string) error {
	err := r.call(ctx, "update", "", true, func(ctx context.Context) (string, error) {
		answer, err := r.conn.Update(ctx, sdk.UpdateRequest{
			Operation: r.operation(), ID: found.ID, Version: found.Version, Set: set, Clear: clear,
		})
		if err == nil && answer.ID != "" && answer.ID != found.ID {
			err = defect("update answered with another account")
		}
		return "updated", err
	})
	var e *sdk.Error
	if errors.As(err, &e) && e.Effect != sdk.EffectNone {
		r.forget(set, clear)
	}
	return err
}

// unknownDigest is unequal to every digest, and to none.
const unknownDigest = "?"

// forget notes that of what was just sent nothing is certain. The rest is as
// wanted, or it would have been sent.
func (r *run) forget(set sdk.Attributes, clear []string) {
	sent := maps.Clone(r.digests)
	if r.target.Groups != nil {
		sent[groupsDigest] = unknownDigest // they come after the attributes
	}
	for name := range set {
		sent[name] = unknownDigest
	}
	for _, name := range clear {
		sent[name] = unknownDigest
	}
	r.account.Sent = sent
}

func (r *run) setActive(ctx context.Context, active bool) error {
	if r.conn.ActiveSetter == nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: "the connector cannot suspend or reactivate accounts"}
	}
	verb := "reactivate"
	if !active {
		verb = "suspend"
		if err := r.admitted(ctx); err != nil {
			return err
		}
	}
	err := r.call(ctx, verb, "", true, func(ctx context.Context) (string, error) {
		answer, err := r.conn.ActiveSetter.SetActive(ctx, sdk.SetActiveRequest{Operation: r.operation(), ID: r.account.ExternalID, Active: active})
		if err == nil && answer.ID != "" && answer.ID != r.account.ExternalID {
			err = defect("set active answered with another account")
		}
		if err == nil && answer.Active != nil && *answer.Active != active {
			err = defect("set active did not change the account")
		}
		return verb + "d", err
	})
	var e *sdk.Error
	if err == nil {
		r.account.Suspended = !active
	} else if errors.As(err, &e) && e.Effect != sdk.EffectNone {
		r.account.Suspended = true // perhaps: to reactivate it needlessly does no harm
	}
	return err
}

func (r *run) delete(ctx context.Context) error {
	if r.conn.Deleter == nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: "the connector cannot delete accounts"}
	}
	if err := r.admitted(ctx); err != nil {
		return err
	}
	return r.call(ctx, "delete", "", true, func(ctx context.Context) (string, error) {
		return "deleted", r.conn.Deleter.Delete(ctx, sdk.DeleteRequest{Operation: r.operation(), ID: r.account.ExternalID})
	})
}

// defect is an answer a connector must not give.
func defect(message string) error {
	return &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectUnknown, Message: message}
}
