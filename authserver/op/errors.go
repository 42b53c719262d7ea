package op

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/keys"
)

// The error codes this server answers with (RFC 6749 sections 4.1.2.1 and 5.2,
// RFC 6750 section 3.1, OpenID Connect Core section 3.1.2.6).
const (
	codeInvalidRequest          = "invalid_request"
	codeInvalidClient           = "invalid_client"
	codeInvalidGrant            = "invalid_grant"
	codeInvalidScope            = "invalid_scope"
	codeInvalidTarget           = "invalid_target" // RFC 8707 section 2
	codeInvalidToken            = "invalid_token"
	codeInvalidDPoPProof        = "invalid_dpop_proof" // RFC 9449 section 5
	codeInsufficientScope       = "insufficient_scope"
	codeUnauthorizedClient      = "unauthorized_client"
	codeUnsupportedGrantType    = "unsupported_grant_type"
	codeUnsupportedResponseType = "unsupported_response_type"
	codeServerError             = "server_error"
	codeTemporarilyUnavailable  = "temporarily_unavailable"
	codeLoginRequired           = "login_required"
	codeRequestNotSupported     = "request_not_supported"
	codeRequestURINotSupported  = "request_uri_not_supported"
	codeInvalidRequestURI       = "invalid_request_uri"
	codeRegistrationUnsupported = "registration_not_supported"
	codeAccessDenied            = "access_denied"
	codeAuthorizationPending    = "authorization_pending" // this and the next two of RFC 8628 section 3.5
	codeSlowDown                = "slow_down"
	codeExpiredToken            = "expired_token"
	codeUnmetRequirements       = "unmet_authentication_requirements" // of the OpenID extension of that name
)

// protocolError is an error as the protocol names it.
type protocolError struct {
	Code        string
	Description string        // for developers; never internals
	Status      int           // where there is no redirect
	RetryAfter  time.Duration // for 503
	cause       error         // for the log, nil when the fault is the client's
}

func (e *protocolError) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Description
}

func (e *protocolError) Unwrap() error { return e.cause }

func badRequest(code, description string) *protocolError {
	return &protocolError{Code: code, Description: description, Status: http.StatusBadRequest}
}

func internalError(cause error) *protocolError {
	return &protocolError{
		Code: codeServerError, Status: http.StatusInternalServerError, cause: cause,
		Description: "The server could not complete the request.",
	}
}

// unavailable is for what is worth trying again (RFC 6749 section 4.1.2.1; where there
// is no redirect, HTTP's 503 with Retry-After).
func unavailable(cause error) *protocolError {
	return &protocolError{
		Code: codeTemporarilyUnavailable, Status: http.StatusServiceUnavailable, RetryAfter: defaultRetryAfter, cause: cause,
		Description: "The server is temporarily unable to answer.",
	}
}

// outage tells a database that is down from a fault of ours. Every answer with an
// error passes here.
func (p *Provider) outage(fail *protocolError) *protocolError {
	if fail.Status == http.StatusInternalServerError && fail.cause != nil && p.unavailable(fail.cause) {
		return unavailable(fail.cause)
	}
	return fail
}

// sayWhen sets when to try again (RFC 9110 section 10.2.3).
func (e *protocolError) sayWhen(w http.ResponseWriter) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Round(time.Second)/time.Second)))
	}
}

// toProtocol turns any error into one with a code of the specifications.
func toProtocol(err error) *protocolError {
	if own, ok := errors.AsType[*protocolError](err); ok {
		return own
	}
	// Fosite wraps what its storage says in a server_error: look beneath it first.
	if errors.Is(err, ErrUsed) || errors.Is(err, ErrNotFound) {
		return badRequest(codeInvalidGrant, "The code or refresh token is not valid, was used before, or expired.")
	}
	if errors.Is(err, errNoPermit) || errors.Is(err, keys.ErrNoKey) {
		return internalError(err)
	}
	rfc, ok := errors.AsType[*fosite.RFC6749Error](err)
	if !ok {
		return internalError(err)
	}
	return fromFosite(rfc, err)
}

func fromFosite(rfc *fosite.RFC6749Error, err error) *protocolError {
	code := specCode(rfc.ErrorField)
	switch code {
	case codeServerError:
		return internalError(err)
	case codeTemporarilyUnavailable:
		return unavailable(err)
	case codeInvalidClient:
		return invalidClient()
	default:
		return badRequest(code, rfc.GetDescription())
	}
}

// specCode maps fosite's own error names to those of the specifications.
func specCode(name string) string {
	switch name {
	case "invalid_state", "insufficient_entropy", "request_unauthorized", "jti_known", "unsupported_response_mode":
		return codeInvalidRequest
	case "token_expired", "invalid_token", "token_inactive", "token_signature_mismatch", "not_found", "request_forbidden":
		return codeInvalidGrant
	case "scope_not_granted":
		return codeInvalidScope
	case "misconfiguration", "error", "unknown_request", "":
		return codeServerError
	default:
		return name
	}
}

func invalidClient() *protocolError {
	return &protocolError{
		Code: codeInvalidClient, Status: http.StatusUnauthorized,
		Description: "The client is unknown, or did not authenticate with its registered method and secret.",
	}
}

// describe limits a text to what RFC 6749 allows in error_description.
func describe(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\', r < ' ', r > '~':
			return ' '
		default:
			return r
		}
	}, text)
}
