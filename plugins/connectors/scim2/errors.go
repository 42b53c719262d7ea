package scim2

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/anteroom-id/anteroom/sdk"
)

// answerError is what a server said when it refused (RFC 7644, 3.12).
type answerError struct {
	status   int
	scimType string
	detail   string // as received: never shown without hidden.clean
}

// Error tells the status and scimType only: the detail may quote anything.
func (e *answerError) Error() string {
	if e.scimType == "" {
		return fmt.Sprintf("status %d", e.status)
	}
	return fmt.Sprintf("status %d, %s", e.status, e.scimType)
}

// answerOf returns what the server said, nil when it said nothing.
func answerOf(err error) *answerError {
	var a *answerError
	if errors.As(err, &a) {
		return a
	}
	return nil
}

func hasStatus(err error, status int) bool {
	a := answerOf(err)
	return a != nil && a.status == status
}

// parseAnswer reads an error body leniently, member by member: the status may be
// a number, a string or absent (the one on the wire counts), and the body may be
// HTML or nothing.
func parseAnswer(status int, body []byte) *answerError {
	a := &answerError{status: status}
	var message struct {
		ScimType any `json:"scimType"`
		Detail   any `json:"detail"`
	}
	if json.Unmarshal(body, &message) != nil {
		return a
	}
	a.scimType, _ = message.ScimType.(string)
	if len(a.scimType) > 40 || !printable(a.scimType) {
		a.scimType = ""
	}
	a.detail, _ = message.Detail.(string)
	return a
}

// refused is the error for an answer that is not 2xx.
func (c *client) refused(cl call, resp *http.Response, body []byte) error {
	a := parseAnswer(resp.StatusCode, body)
	e := &sdk.Error{
		Kind:       kindOf(a),
		Effect:     effectOf(cl, a.status),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now()),
		Err:        a,
	}
	if a.status/100 == 3 {
		e.Field = "base_url"
	}
	if e.Kind == sdk.KindInvalid || e.Kind == sdk.KindConflict {
		e.Field = cmp.Or(e.Field, fieldIn(a.detail))
	}
	e.Message = fmt.Sprintf("%s answered %s", cl.method, a)
	if detail := c.hidden.clean(a.detail, cl.values); detail != "" {
		e.Message += ": " + detail
	}
	return e
}

// kindOf is the one table from answers to kinds.
func kindOf(a *answerError) sdk.Kind {
	switch a.status {
	case http.StatusBadRequest:
		return kindOfBadRequest(a)
	case http.StatusUnauthorized:
		return sdk.KindUnauthorized
	case http.StatusPaymentRequired:
		return sdk.KindQuota
	case http.StatusForbidden:
		return sdk.KindForbidden
	case http.StatusNotFound, http.StatusGone:
		return sdk.KindNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return sdk.KindUnsupported
	case http.StatusConflict:
		return sdk.KindConflict
	case http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusTooEarly:
		return sdk.KindTransient
	case http.StatusTooManyRequests:
		return sdk.KindRateLimited
	}
	if a.status >= 500 {
		return sdk.KindTransient
	}
	return sdk.KindInvalid
}

// kindOfBadRequest splits 400 by scimType (RFC 7644, table 9). Some servers say
// that a name is taken in words only.
func kindOfBadRequest(a *answerError) sdk.Kind {
	detail := strings.ToLower(a.detail)
	switch a.scimType {
	case "uniqueness":
		return sdk.KindConflict
	case "tooMany":
		return sdk.KindQuota
	case "invalidFilter":
		return sdk.KindUnsupported
	case "":
		if strings.Contains(detail, "already exists") || strings.Contains(detail, "duplicate") {
			return sdk.KindConflict
		}
	}
	return sdk.KindInvalid
}

// effectOf says whether a refused call may have changed something. Gateways
// answer 5xx for requests they have passed on.
func effectOf(cl call, status int) sdk.Effect {
	switch {
	case !cl.writes() || status == http.StatusNotImplemented:
		return sdk.EffectNone
	case status >= 500 || status == http.StatusRequestTimeout:
		return sdk.EffectUnknown
	default:
		return sdk.EffectNone
	}
}

// notAnswered is the error for a call without a usable answer. Causes are told
// without the address, whose query holds the user's values.
func (c *client) notAnswered(cl call, connected bool, err error) error {
	e := &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: describe(err), Err: withoutURL(err)}
	switch {
	case errors.Is(err, errRedirect):
		e.Kind, e.Field = sdk.KindInvalid, "base_url"
	case connected && cl.writes():
		e.Kind, e.Effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
	}
	return e
}

func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func describe(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, errRedirect):
		return "the server redirects to another address or method: use the final address"
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "given up before an answer"
	case errors.As(err, &dns):
		return "the host name cannot be resolved"
	case errors.As(err, &cert):
		return "the server's certificate is not trusted: " + cert.Err.Error()
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection: " + op.Err.Error()
	default:
		return "the connection was lost"
	}
}

// retryAfter reads the header's seconds or date (RFC 9110, 10.2.3); 0 for
// neither or the past.
func retryAfter(value string, now time.Time) time.Duration {
	const longest = 7 * 24 * time.Hour
	if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(longest/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), longest)
	}
	return 0
}

// hidden are the strings that must not be in a message.
type hidden []string

func newHidden(cfg Config) hidden {
	var h hidden
	for _, secret := range []sdk.Secret{cfg.Token, cfg.Password} {
		if secret != "" {
			h = append(h, secret.Reveal())
		}
	}
	if cfg.Auth == authBasic {
		pair := cfg.Username + ":" + cfg.Password.Reveal()
		h = append(h, base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return h
}

// maxDetail is how much of a server's text is told, in bytes.
const maxDetail = 300

// clean makes a server's text fit for an admin: one line, short, without
// secrets and without the user's values.
func (h hidden) clean(text string, values []string) string {
	for _, secret := range h {
		text = strings.ReplaceAll(text, secret, "***")
	}
	for _, v := range values {
		if len(v) > 1 {
			text = strings.ReplaceAll(text, v, "…")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return strings.TrimSpace(text)
}
