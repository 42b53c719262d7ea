package ldap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// failure is the error for a call that did not succeed; nil for nil.
func (p *pool) failure(c call, sent bool, err error) error {
	if err == nil {
		return nil
	}
	if result := resultOf(err); result != nil {
		return p.refused(c, result)
	}
	e := &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: explain(err), Err: err}
	if sent && c.writes {
		e.Kind, e.Effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
	}
	return e
}

// refused is the error for what the directory answered.
func (p *pool) refused(c call, result *goldap.Error) error {
	diagnosis := textOf(result)
	e := &sdk.Error{
		Kind:    kindOf(result.ResultCode, diagnosis),
		Effect:  sdk.EffectNone,
		Message: fmt.Sprintf("%s answered %d %s", c.name, result.ResultCode, goldap.LDAPResultCodeMap[result.ResultCode]),
		Err:     result,
	}
	if c.writes && result.ResultCode == goldap.LDAPResultOther {
		e.Effect = sdk.EffectUnknown
	}
	if e.Kind == sdk.KindInvalid || e.Kind == sdk.KindConflict {
		e.Field = p.fieldIn(diagnosis)
	}
	if text := p.redactor.Excerpt(diagnosis, c.values...); text != "" {
		e.Message += ": " + text
	}
	return e
}

// unconnected is the error for a connection that could not be made: no call has
// been sent.
func (p *pool) unconnected(err error) error {
	var known *sdk.Error
	result := resultOf(err)
	switch {
	case errors.As(err, &known):
		return err
	case result == nil:
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: explain(err), Err: err}
	}
	message := fmt.Sprintf("bind answered %d %s", result.ResultCode, goldap.LDAPResultCodeMap[result.ResultCode])
	if text := p.redactor.Excerpt(textOf(result), p.dialer.bindDN); text != "" {
		message += ": " + text
	}
	// Without the result as its cause: what a bind answered must not be taken for
	// the answer to the call.
	return &sdk.Error{Kind: admission(result), Effect: sdk.EffectNone, Message: message}
}

// refusedTLS is the error for a StartTLS that was refused.
func refusedTLS(result *goldap.Error) error {
	return &sdk.Error{
		Kind: admission(result), Effect: sdk.EffectNone, Field: "start_tls",
		Message: fmt.Sprintf("the directory refuses StartTLS with %d %s", result.ResultCode, goldap.LDAPResultCodeMap[result.ResultCode]),
	}
}

// admission is the kind of a refusal before any call: it will pass, or the
// configuration is at fault for every account.
func admission(result *goldap.Error) sdk.Kind {
	if kind := kindOf(result.ResultCode, ""); kind == sdk.KindTransient {
		return kind
	}
	return sdk.KindUnauthorized
}

func textOf(result *goldap.Error) string {
	if result.Err == nil {
		return ""
	}
	return strings.Trim(result.Err.Error(), "\x00\n ")
}

// kindOf is the one table from result codes (RFC 4511, 4.1.9) to kinds.
func kindOf(code uint16, diagnosis string) sdk.Kind {
	switch code {
	case goldap.LDAPResultEntryAlreadyExists:
		return sdk.KindConflict
	case goldap.LDAPResultConstraintViolation:
		if saysTaken(diagnosis) {
			return sdk.KindConflict
		}
		return sdk.KindInvalid
	case goldap.LDAPResultNoSuchObject:
		return sdk.KindNotFound
	case goldap.LDAPResultAuthMethodNotSupported, goldap.LDAPResultStrongAuthRequired, goldap.LDAPResultConfidentialityRequired,
		goldap.LDAPResultSaslBindInProgress, goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultInvalidCredentials:
		return sdk.KindUnauthorized
	case goldap.LDAPResultInsufficientAccessRights:
		return sdk.KindForbidden
	case goldap.LDAPResultOperationsError, goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded,
		goldap.LDAPResultBusy, goldap.LDAPResultUnavailable, goldap.LDAPResultOther:
		return sdk.KindTransient
	case goldap.LDAPResultProtocolError, goldap.LDAPResultSizeLimitExceeded, goldap.LDAPResultReferral,
		goldap.LDAPResultUnavailableCriticalExtension, goldap.LDAPResultLoopDetect, goldap.LDAPResultAffectsMultipleDSAs:
		return sdk.KindUnsupported
	case goldap.LDAPResultNoSuchAttribute, goldap.LDAPResultUndefinedAttributeType, goldap.LDAPResultInappropriateMatching,
		goldap.LDAPResultAttributeOrValueExists, goldap.LDAPResultInvalidAttributeSyntax, goldap.LDAPResultAliasProblem,
		goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultAliasDereferencingProblem, goldap.LDAPResultUnwillingToPerform,
		goldap.LDAPResultNamingViolation, goldap.LDAPResultObjectClassViolation, goldap.LDAPResultNotAllowedOnNonLeaf,
		goldap.LDAPResultNotAllowedOnRDN, goldap.LDAPResultObjectClassModsProhibited:
		return sdk.KindInvalid
	}
	return sdk.KindTransient
}

// saysTaken reports whether a constraint violation is about a value that somebody
// else has. 000021C7 and 000021C8 are Active Directory's "service (user)
// principal name not unique in forest"; Samba says 0000202F in words.
func saysTaken(diagnosis string) bool {
	text := strings.ToLower(diagnosis)
	for _, sign := range []string{"non-unique", "not unique", "already in use", "already exists", "000021c7", "000021c8", "0000202f"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// fieldIn returns the declared attribute that a directory's text names, "" if it
// names none or several.
func (p *pool) fieldIn(text string) string {
	found := ""
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		name := p.fields[word]
		if name == "" || name == found {
			continue
		}
		if found != "" {
			return ""
		}
		found = name
	}
	return found
}

// explain says for an admin what is known of a failure on the way, and repeats
// nothing that was sent.
func explain(err error) string {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.As(err, &record):
		return "the other end does not speak TLS"
	default:
		return sdkhttp.Explain(err)
	}
}

// hasCode reports whether the directory answered one of these codes.
func hasCode(err error, codes ...uint16) bool {
	return goldap.IsErrorAnyOf(err, codes...)
}

func notFound() error { return sdk.NotFound("there is no account with this id beneath base_dn") }

// applied marks an error after which an earlier part of the same verb stands.
func applied(err error, what string) error {
	e := *sdk.AsError(err)
	if e.Effect == sdk.EffectNone {
		e.Effect = sdk.EffectApplied
	}
	e.Message = what + ", but then: " + e.Message
	if e.Kind == sdk.KindNotFound { // not the account: it has just been changed
		e.Kind = sdk.KindTransient
	}
	return &e
}
