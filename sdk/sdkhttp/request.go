package sdkhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/anteroom-id/anteroom/sdk"
)

// Request is one request.
type Request struct {
	Method string
	URL    string
	Header http.Header // beyond what the client sets; it wins
	// Body is nil for none, []byte to be sent as it is, and anything else to be
	// encoded as JSON.
	Body any
	// IdempotencyKey is sent in the header of that name, "" for none; the id of the
	// operation is made for it. Set it only if the target honours it: net/http
	// itself sends such a request again when a kept connection breaks.
	IdempotencyKey string
	// ReadOnly says that the request changes nothing whatever its method, such as a
	// search by POST. GET, HEAD and OPTIONS change nothing anyway.
	ReadOnly bool
	// Values are the user's values in the request; they are kept out of errors.
	Values []string
}

func (r Request) reads() bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "":
		return true
	}
	return r.ReadOnly
}

// Response is an answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // of a refusal: what came of it, and nothing if that was too much
	reads  bool
}

// Decode reads the body as JSON. One that cannot be read leaves it open whether a
// write was done.
func (r *Response) Decode(into any) error {
	err := json.Unmarshal(r.Body, into)
	if err == nil {
		return nil
	}
	e := unanswered(r.reads, true, err)
	e.Message = "the target's answer is not the JSON that was expected"
	return e
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	body, kind, err := encode(r.Body)
	if err != nil {
		return nil, defect("the request cannot be encoded", err)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil { // it repeats the address, which may hold the user's values
		e := defect("the request's method or address is not valid", nil)
		e.Field = c.options.AddressField
		return nil, e
	}
	req.Header.Set("Accept", "application/json")
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Content-Type", kind)
	set("Idempotency-Key", r.IdempotencyKey)
	trace := sdk.TraceOf(ctx)
	set("Traceparent", trace.Parent)
	set("Tracestate", trace.State)
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.options.Authorize.set != nil {
		c.options.Authorize.set(req)
	}
	return req, nil
}

func encode(body any) (r io.Reader, kind string, err error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return bytes.NewReader(body), "", nil
	}
	encoded, err := json.Marshal(body)
	return bytes.NewReader(encoded), "application/json", err
}
