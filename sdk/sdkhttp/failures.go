package sdkhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
)

// refused is the failure an answer stands for. A read has no effect, whatever
// became of it.
func (c *Client) refused(r Request, resp *Response) *sdk.Error {
	e := sdk.FromAnswer(resp.Status, resp.Header, resp.Body, c.redactor, r.Values...)
	if r.reads() {
		e.Effect = sdk.EffectNone
	} else if e.Effect == "" {
		e.Effect = sdk.EffectUnknown
	}
	return e
}

// lost is the failure of a request without a usable answer.
func (c *Client) lost(r Request, sent bool, err error) *sdk.Error {
	if errors.Is(err, errRedirect) { // it is an answer, and a refusal
		return &sdk.Error{
			Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: c.options.AddressField,
			Message: Explain(err), Err: withoutURL(err),
		}
	}
	if refused := new(sdk.Error); errors.As(err, &refused) { // Options.Permit's
		return refused
	}
	e := unanswered(r.reads(), sent, err)
	if errors.Is(err, errTooLarge) {
		e.Message = fmt.Sprintf("the answer is larger than %d bytes", c.options.MaxBody)
	}
	return e
}

// unanswered is what is certain of a request without a usable answer.
func unanswered(reads, sent bool, err error) *sdk.Error {
	e := &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: Explain(err), Err: withoutURL(err)}
	if sent && !reads {
		e.Kind, e.Effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
	}
	return e
}

func defect(message string, cause error) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: message, Err: cause}
}

// withoutURL drops the address, whose query may hold the user's values.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Explain says for an admin what is known of a failure on the way to the target,
// and repeats neither the address nor anything that was sent.
func Explain(err error) string {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		op   *net.OpError
		said *sdk.Error
	)
	switch {
	case errors.As(err, &said):
		return said.Message
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
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy of the environment cannot be reached"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server answered HTTP to an HTTPS request"
	default:
		return "the connection was lost"
	}
}
