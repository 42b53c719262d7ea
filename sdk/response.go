package sdk

import (
	"bytes"
	"io"
	"mime"
	"net/http"
)

// maxErrorBody is how much of the body of a refusal is read, in bytes.
const maxErrorBody = 8 << 10

// FromResponse is [FromHTTP] with an excerpt of what the target said, redacted
// by r and without the given values of the user. It reads at most 8 KiB of the
// body and does not close it; nothing of an HTML page is told.
func FromResponse(resp *http.Response, r Redactor, values ...string) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came of it is better than nothing
	return FromAnswer(resp.StatusCode, resp.Header, body, r, values...)
}

// FromAnswer is [FromResponse] for a body that has been read. Only its first
// 8 KiB count.
func FromAnswer(status int, header http.Header, body []byte, r Redactor, values ...string) *Error {
	e := FromHTTP(status, header)
	if isPage(header, body) {
		return e
	}
	cut := len(body) >= maxErrorBody
	text := r.Redact(string(body[:min(len(body), maxErrorBody)]), values...)
	if cut { // half a secret at the end would not be known for one
		text = text[:max(0, len(text)-r.reach(values))]
	}
	if text = r.Excerpt(text, values...); text != "" {
		e.Message += ": " + text
	}
	return e
}

// isPage reports whether a body is HTML, which gateways answer with.
func isPage(header http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}
