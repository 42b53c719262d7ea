package registration

import (
	"errors"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// The error codes of RFC 7591 section 3.2.2.
const (
	CodeInvalidRedirectURI = "invalid_redirect_uri"
	CodeInvalidMetadata    = "invalid_client_metadata"
)

// Refusal says why metadata are not accepted, to who sent them.
type Refusal struct {
	Code string
	Text string // names the field

	cause error // for the log: what strangers are not told
}

// Error returns the code and the text.
func (r *Refusal) Error() string { return r.Code + ": " + r.Text }

func invalid(field, text string) *Refusal {
	return &Refusal{Code: CodeInvalidMetadata, Text: field + " " + text}
}

// metadataName is what client metadata call a field of an application.
func metadataName(field string) string {
	for ours, theirs := range map[string]string{
		"name": "client_name", "type": "application_type", "auth_method": "token_endpoint_auth_method", "scopes": "scope",
		"id_token_alg": "id_token_signed_response_alg",
	} {
		if rest, ok := strings.CutPrefix(field, ours); ok && (rest == "" || rest[0] == '[') {
			return theirs
		}
	}
	return field
}

// refusalOf turns the problems of an application into the answer.
func refusalOf(err error) error {
	problems, ok := errors.AsType[application.Problems](err)
	if !ok {
		return err
	}
	r := &Refusal{Code: CodeInvalidMetadata}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = metadataName(p.Field) + " " + p.Text
		if strings.HasPrefix(p.Field, "redirect_uris") {
			r.Code = CodeInvalidRedirectURI
		}
	}
	r.Text = strings.Join(texts, "; ")
	return r
}
