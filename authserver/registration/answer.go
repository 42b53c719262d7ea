package registration

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// answer is the client information response (RFC 7591 section 3.2.1).
type answer struct {
	ClientID     string `json:"client_id"`
	IssuedAt     int64  `json:"client_id_issued_at"`
	ClientSecret string `json:"client_secret,omitempty"`
	// ExpiresAt is there with a secret; 0 is never.
	ExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	Token     string `json:"registration_access_token"`
	URI       string `json:"registration_client_uri"`
	metadata
}

func (e Endpoint) answer(made registered) answer {
	a := answer{
		ClientID: string(made.app.ClientID), IssuedAt: made.app.CreatedAt.Unix(), Token: made.token.Reveal(),
		URI: e.Issuer + Path + "/" + string(made.app.ClientID), metadata: metadataOf(made.app),
	}
	if made.secret != "" {
		a.ClientSecret, a.ExpiresAt = made.secret.Reveal(), new(int64)
	}
	return a
}

func (e Endpoint) write(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means the client is gone
	return nil
}

// failure is an answer that says what went wrong.
type failure struct {
	status int
	code   string
	text   string
	wait   time.Duration // for Retry-After
	cause  error         // for the log: the server's fault
	reason error         // for the log: more than the client is told
}

func (f *failure) Error() string { return f.code + ": " + f.text }

func tooOften(wait time.Duration) *failure {
	return &failure{status: http.StatusTooManyRequests, code: "temporarily_unavailable", text: "Too many registrations come from this address.", wait: wait}
}

// failureOf gives every error its answer.
func failureOf(err error) *failure {
	own, isOwn := errors.AsType[*failure](err)
	refused, isRefused := errors.AsType[*Refusal](err)
	switch {
	case isOwn:
		return own
	case isRefused:
		return &failure{status: http.StatusBadRequest, code: refused.Code, text: refused.Text, reason: refused.cause}
	case errors.Is(err, ErrSpent):
		return &failure{status: http.StatusUnauthorized, code: "invalid_token", text: "The initial access token is missing, unknown, expired, revoked or used up."}
	case errors.Is(err, ErrNotFound):
		return &failure{status: http.StatusUnauthorized, code: "invalid_token", text: "The registration access token is not one of this application."}
	case errors.Is(err, ErrDisabled):
		return &failure{status: http.StatusForbidden, code: "access_denied", text: "An administrator disabled this application."}
	case errors.Is(err, ErrFull):
		return &failure{status: http.StatusForbidden, code: "access_denied", text: "No more applications can be registered here."}
	case errors.Is(err, application.ErrStale):
		return &failure{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", text: "The application is being changed just now.", wait: time.Second}
	default:
		return &failure{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", text: "The server is temporarily unable to answer.", wait: retryLater, cause: err}
	}
}

func (e Endpoint) fail(w http.ResponseWriter, r *http.Request, err error) {
	f, reference := failureOf(err), e.Reference()
	if f.cause != nil {
		e.Log.ErrorContext(r.Context(), "registration failed", "reference", reference, "error", f.cause)
	} else {
		e.Log.InfoContext(r.Context(), "registration refused", "reference", reference, "code", f.code, "description", f.text, "reason", f.reason)
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge(r, f))
	}
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.wait+time.Second-1)/time.Second)))
	}
	text := printable(f.text + " (reference " + reference + ")")
	if err := e.write(w, f.status, map[string]string{"error": f.code, "error_description": text}); err != nil {
		e.Log.ErrorContext(r.Context(), "encode answer", "error", err)
	}
}

// challenge is a WWW-Authenticate header (RFC 6750 section 3): who showed no token only
// learns that there must be one.
func challenge(r *http.Request, f *failure) string {
	if r.Header.Get("Authorization") == "" {
		return `Bearer realm="registration"`
	}
	return `Bearer realm="registration", error="` + f.code + `", error_description="` + printable(f.text) + `"`
}

// printable limits a text to what RFC 6749 allows in error_description.
func printable(text string) string {
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
