package op

import (
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what a request may carry. They are far above what clients send.
const (
	maxBodyBytes  = 64 << 10
	maxQueryBytes = 16 << 10
	maxParamBytes = 4 << 10 // of one parameter; an id_token_hint is the longest
)

// paramJKT is the thumbprint of the key that a code is for (RFC 9449 section 10).
const paramJKT = "dpop_jkt"

const formType = "application/x-www-form-urlencoded"

// authorizeParams are the parameters of an authorization request that mean
// something here. Others are ignored (RFC 6749 section 3.1) and not stored.
func authorizeParams() []string {
	return []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt",
		"max_age", "code_challenge", "code_challenge_method", "login_hint", "ui_locales", "id_token_hint",
		"acr_values", "display", "claims", paramResource, "request", "request_uri", "registration", paramJKT,
	}
}

// readQueryAndForm reads the parameters of a GET or POST request, from the query
// and a form body.
func readQueryAndForm(w http.ResponseWriter, r *http.Request) (url.Values, *protocolError) {
	if len(r.URL.RawQuery) > maxQueryBytes {
		return nil, &protocolError{Code: codeInvalidRequest, Status: http.StatusRequestURITooLong, Description: "The request's query is too long."}
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest(codeInvalidRequest, "The request's query is malformed.")
	}
	if r.Method != http.MethodPost {
		return values, nil
	}
	form, fail := readForm(w, r)
	if fail != nil {
		return nil, fail
	}
	for name, v := range form {
		values[name] = append(values[name], v...)
	}
	return values, nil
}

// readForm reads the parameters of a form body, and leaves them in r.PostForm,
// where fosite looks for them.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *protocolError) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != formType {
		return nil, &protocolError{Code: codeInvalidRequest, Status: http.StatusUnsupportedMediaType, Description: "The body must be " + formType + "."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &protocolError{Code: codeInvalidRequest, Status: http.StatusRequestEntityTooLarge, Description: "The body is too long."}
		}
		return nil, badRequest(codeInvalidRequest, "The body is malformed.")
	}
	return r.PostForm, nil
}

// checkBody refuses a form that can be read in two ways, and parameters beside it.
func checkBody(form url.Values, query string) *protocolError {
	if name := repeated(form); name != "" {
		return badRequest(codeInvalidRequest, "The parameter "+describe(name)+" is repeated.")
	}
	if query != "" {
		return badRequest(codeInvalidRequest, "Parameters belong into the body.")
	}
	return nil
}

// repeated returns the first parameter that is there more than once and must not be,
// in alphabetical order, or "". Whoever reads such a request may read another value
// than the one that was checked.
func repeated(values url.Values) string {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 && name != paramResource {
			return name
		}
	}
	return ""
}

// pick returns the named parameters that are there and not empty: an empty one
// counts as absent (RFC 6749 section 3.1).
func pick(values url.Values, names []string) url.Values {
	picked := make(url.Values, len(names))
	for _, name := range names {
		if v := values.Get(name); v != "" {
			picked.Set(name, v)
		}
		if name == paramResource && len(values[name]) > 0 {
			picked[name] = slices.Clone(values[name])
		}
	}
	return picked
}

// isText reports whether a value is UTF-8 without control characters: what a
// database can keep and a log can show.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}
