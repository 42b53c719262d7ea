package wire

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// domain marks a status as a connector's own word.
const domain = "anteroom.connector.v1"

// reasonNotConfigured is the one reason that is not a kind.
const reasonNotConfigured = "INSTANCE_NOT_CONFIGURED"

// maxMessage bounds, in bytes, what one end believes of the other's texts.
const maxMessage = 4 << 10

// ErrNotConfigured says that the process does not have this instance in this
// generation, as a new process never has: configure it and repeat the call once.
// Nothing was changed.
var ErrNotConfigured = errors.New("connector instance is not configured")

// ErrProcessGone says that the connector process ended, or never took the call.
// The effect beside it says whether the call may be repeated as it is.
var ErrProcessGone = errors.New("connector process is gone")

// errNotConfigured is what the connector's end says for [ErrNotConfigured].
func errNotConfigured() *sdk.Error {
	return &sdk.Error{
		Kind: sdk.KindTransient, Effect: sdk.EffectNone,
		Message: "the connector process does not have this configuration", Err: ErrNotConfigured,
	}
}

// CodeOf returns the gRPC code of a kind; ok is false for one that no status has,
// such as a kind this version does not know.
func CodeOf(k sdk.Kind) (code codes.Code, ok bool) {
	switch k {
	case sdk.KindTransient:
		return codes.Unavailable, true
	case sdk.KindRateLimited:
		return codes.ResourceExhausted, true
	case sdk.KindUnauthorized:
		return codes.Unauthenticated, true
	case sdk.KindForbidden:
		return codes.PermissionDenied, true
	case sdk.KindInvalid:
		return codes.InvalidArgument, true
	case sdk.KindConflict:
		return codes.AlreadyExists, true
	case sdk.KindAmbiguous, sdk.KindQuota:
		return codes.FailedPrecondition, true
	case sdk.KindNotFound:
		return codes.NotFound, true
	case sdk.KindUnsupported:
		return codes.Unimplemented, true
	case sdk.KindOutcomeUnknown:
		return codes.Unknown, true
	case sdk.KindPending: // an outcome: it is never a status, and one that is counts as a defect
		return codes.Internal, false
	case sdk.KindInternal:
		return codes.Internal, true
	}
	return codes.Internal, false
}

// encodeError makes the status a connector answers with. The cause stays behind.
func encodeError(e *sdk.Error) error {
	kind := e.Kind
	code, known := CodeOf(kind)
	if !known {
		kind = sdk.KindInternal
	}
	reason := strings.ToUpper(string(kind))
	if errors.Is(e, ErrNotConfigured) {
		code, reason = codes.FailedPrecondition, reasonNotConfigured
	}
	message := clean(e.Message)
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Domain: domain, Reason: reason},
		&connectorv1.Failure{
			Kind: string(kind), Effect: string(effectOf(string(e.Effect))),
			Field: clean(e.Field), Message: message,
		},
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	st, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return status.Error(codes.Internal, "encode failure")
	}
	return st.Err()
}

// decodeError makes of a failed call's error what the connector said, or, where
// the connector said nothing, what is certain about it. write tells whether the
// call could have changed the target at all, sent whether the request left.
func decodeError(err error, write, sent bool) *sdk.Error {
	st := status.Convert(err)
	if e := connectorsWord(st); e != nil {
		return e
	}
	unsure := write && sent
	switch st.Code() {
	case codes.DeadlineExceeded:
		return lost(unsure, "the connector did not answer in time", context.DeadlineExceeded)
	case codes.Canceled:
		return lost(unsure, "the call was cancelled", context.Canceled)
	case codes.Unavailable:
		return lost(unsure, "the connector process is not there", ErrProcessGone)
	case codes.Unimplemented:
		return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: "the connector does not know this call", Err: err}
	default:
		e := &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: clean(st.Message()), Err: err}
		if unsure {
			e.Effect = sdk.EffectUnknown
		}
		return e
	}
}

func lost(unsure bool, message string, cause error) *sdk.Error {
	if unsure {
		return &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Message: message, Err: cause}
	}
	return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: message, Err: cause}
}

// connectorsWord returns the failure a status carries, nil if it carries none.
func connectorsWord(st *status.Status) *sdk.Error {
	var (
		info    *errdetails.ErrorInfo
		failure *connectorv1.Failure
		after   time.Duration
	)
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == domain {
				info = d
			}
		case *connectorv1.Failure:
			failure = d
		case *errdetails.RetryInfo:
			after = max(0, d.GetRetryDelay().AsDuration())
		}
	}
	switch {
	case info == nil:
		return nil
	case info.GetReason() == reasonNotConfigured:
		return errNotConfigured()
	}
	e := &sdk.Error{
		Kind: sdk.Kind(failure.GetKind()), Effect: effectOf(failure.GetEffect()),
		Message: clean(failure.GetMessage()), Field: clean(failure.GetField()), RetryAfter: after,
	}
	if _, known := CodeOf(e.Kind); !known {
		e.Kind = sdk.KindInternal
	}
	return e
}

func effectOf(s string) sdk.Effect {
	switch e := sdk.Effect(s); e {
	case sdk.EffectNone, sdk.EffectApplied:
		return e
	}
	return sdk.EffectUnknown
}

// clean makes a text of the other end fit to be stored: valid UTF-8 of at most
// maxMessage bytes.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
