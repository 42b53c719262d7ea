package op

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
)

// authTimeUnit is the precision of auth_time in an ID token.
const authTimeUnit = time.Second

// redirect sends the browser to location with GET, whatever the method was, and
// lets nobody keep the answer: it may have a code in it.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// responseModes are the ways an answer gets to the application (OAuth 2.0 Multiple
// Response Type Encoding Practices; OAuth 2.0 Form Post Response Mode).
func responseModes() []string { return []string{"query", modeFormPost} }

const modeFormPost = "form_post"

// formPostMark begins an answer that a form posts; then come the redirect URI and,
// in the next line, the parameters. Any other answer is an address to go to.
const formPostMark = modeFormPost + "\n"

// answer returns the response with the parameters, the request's state and the
// issuer (RFC 9207), as [Provider.sendAnswer] takes it. What is in the registered
// query stays.
func (p *Provider) answer(a authorization, params url.Values) string {
	if state := a.form.Get("state"); state != "" {
		params.Set("state", state)
	}
	params.Set("iss", p.issuer)
	if a.form.Get("response_mode") == modeFormPost {
		return formPostMark + a.redirectURI + "\n" + params.Encode()
	}
	return withQuery(a.redirectURI, params)
}

func withQuery(uri string, params url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + params.Encode()
}

// sendAnswer sends the browser to the application with an answer.
func (p *Provider) sendAnswer(w http.ResponseWriter, r *http.Request, answer string) {
	rest, ok := strings.CutPrefix(answer, formPostMark)
	if !ok {
		redirect(w, answer)
		return
	}
	uri, encoded, _ := strings.Cut(rest, "\n")
	params, err := url.ParseQuery(encoded)
	if err != nil {
		p.errorPage(w, r, internalError(err), flow.NewReference())
		return
	}
	p.pages.FormPost(w, r, uri, params)
}

// redirectError sends an error to the application, with a new reference.
func (p *Provider) redirectError(w http.ResponseWriter, r *http.Request, a authorization, fail *protocolError) {
	p.sendError(w, r, a, fail, flow.NewReference())
}

// sendError sends an error to the application. The reference ties its report to
// our log.
func (p *Provider) sendError(w http.ResponseWriter, r *http.Request, a authorization, fail *protocolError, reference string) {
	fail = p.outage(fail)
	p.logFailure(r, fail, reference)
	p.sendAnswer(w, r, p.answer(a, url.Values{
		"error": {fail.Code}, "error_description": {describe(fail.Description + " (reference " + reference + ")")},
	}))
}

// errorPage shows an error where it cannot go to the application.
func (p *Provider) errorPage(w http.ResponseWriter, r *http.Request, fail *protocolError, reference string) {
	fail = p.outage(fail)
	fail.sayWhen(w)
	p.logFailure(r, fail, reference)
	w.Header().Set("Cache-Control", "no-store")
	p.pages.Error(w, r, fail.Status, ErrorPage{Code: fail.Code, Description: fail.Description, Reference: reference})
}

// logFailure logs what is our fault as an error and what is the client's as
// information.
func (p *Provider) logFailure(r *http.Request, fail *protocolError, reference string) {
	if fail.cause != nil {
		p.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "code", fail.Code, "reference", reference, "error", fail.cause)
		return
	}
	p.log.InfoContext(r.Context(), "request refused", "path", r.URL.Path, "code", fail.Code, "reference", reference, "description", fail.Description)
}
