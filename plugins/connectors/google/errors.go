package google

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// answer is a refusal by the directory.
type answer struct {
	*googleapi.Error
	reasons []string
}

// reasonWord is what a reason looks like: userRateLimitExceeded, SERVICE_DISABLED.
var reasonWord = regexp.MustCompile(`^[A-Za-z_]{1,50}$`)

// answerOf returns what Google said, with ok false if it said nothing.
func answerOf(err error) (a answer, ok bool) {
	if !errors.As(err, &a.Error) {
		return a, false
	}
	for _, e := range a.Errors {
		a.reasons = append(a.reasons, e.Reason)
	}
	for _, d := range a.Details { // google.rpc.ErrorInfo of newer answers
		if info, isMap := d.(map[string]any); isMap {
			reason, _ := info["reason"].(string)
			a.reasons = append(a.reasons, reason)
		}
	}
	// They are told unredacted: what is no such word is not one.
	a.reasons = slices.DeleteFunc(a.reasons, func(r string) bool { return !reasonWord.MatchString(r) })
	return a, true
}

// because reports whether one of the reasons was given.
func (a answer) because(reasons ...string) bool {
	return slices.ContainsFunc(a.reasons, func(r string) bool { return slices.Contains(reasons, r) })
}

// says reports whether the message has one of the texts, which are in lower case.
func (a answer) says(texts ...string) bool {
	message := strings.ToLower(a.Message)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(message, text) })
}

// fromElsewhere reports whether something else than the API answered, so that a
// 404 does not say that an account is not there: without an error of the API in
// it, an answer counts for an account that had an id, unless it is a page.
func (a answer) fromElsewhere(c call) bool {
	return a.Message == "" && (checkID(c.account) != nil || strings.HasPrefix(strings.TrimSpace(a.Body), "<"))
}

// failure is the failure of a call.
func (t *Target) failure(c call, f *flight, err error) error {
	if a, ok := answerOf(err); ok {
		return t.refusal(c, f, a)
	}
	e := &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: explain(err), Err: withoutURL(err)}
	if c.writes && f.sent.Load() {
		e.Kind, e.Effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
	}
	return e
}

func explain(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, errTooLarge):
		return fmt.Sprintf("the answer is larger than %d bytes", maxBody)
	case errors.As(err, &syntax), errors.As(err, &wrongType):
		return "Google's answer is not the JSON that was expected"
	}
	return sdkhttp.Explain(err)
}

// withoutURL drops the address, which holds the user's values.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refusal is the failure an answer stands for.
func (t *Target) refusal(c call, f *flight, a answer) *sdk.Error {
	e := &sdk.Error{Kind: kindOf(a), Effect: sdk.EffectNone, Err: told(a)}
	if c.writes && (a.Code >= 500 && a.Code != http.StatusServiceUnavailable && a.Code != http.StatusNotImplemented || a.Code == http.StatusRequestTimeout) {
		e.Effect = sdk.EffectUnknown
	}
	// Google promises no Retry-After, and sometimes sends one whatever the status.
	e.RetryAfter = sdk.FromHTTP(http.StatusTooManyRequests, a.Header).RetryAfter
	e.Message = told(a).Error()
	if text := t.redactor.Excerpt(a.Message, append(slices.Clone(c.values), f.token)...); text != "" {
		e.Message += ": " + text
	}
	switch {
	case a.Code/100 == 3 || a.Code == http.StatusNotFound && a.fromElsewhere(c):
		e.Kind, e.Field = sdk.KindInvalid, "base_url"
	case e.Kind == sdk.KindInvalid:
		e.Field = fieldIn(a.Message)
	case a.says("user creation is not complete"),
		passes(a) && c.account != "" && t.recent.has(c.account):
		e.Kind = sdk.KindTransient
		e.Message += " (the account was made moments ago; Google needs time)"
	case e.Kind == sdk.KindForbidden:
		e.Message += advice(a)
	}
	return e
}

// passes reports whether a refusal, right after an account was made, comes of
// servers that do not know it yet.
func passes(a answer) bool {
	return a.Code == http.StatusNotFound && !a.says("groupkey") || a.Code == http.StatusForbidden && a.because("forbidden", "notAuthorized")
}

// statusError is what Google's answer was, without its message, which may quote
// anything.
type statusError struct {
	status  int
	reasons []string
}

// Error tells the status and the reasons.
func (e *statusError) Error() string {
	if len(e.reasons) == 0 {
		return fmt.Sprintf("Google answered %d %s", e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("Google answered %d %s", e.status, strings.Join(e.reasons, ", "))
}

func told(a answer) *statusError {
	return &statusError{a.Code, slices.Compact(slices.Clone(a.reasons))}
}

// hasStatus reports whether err is an answer with this status.
func hasStatus(err error, status int) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == status
}

// kindOf is the one table from answers to kinds. The reason counts before the
// status: Google answers 403 for limits of rate as well as for missing rights.
func kindOf(a answer) sdk.Kind {
	switch {
	case a.because("dailyLimitExceeded", "dailyLimitExceededUnreg", "limitExceeded", "variableTermLimitExceeded"),
		a.Code < 500 && a.says("user limit", "limit reached", "licenses available", "license limit"):
		return sdk.KindQuota
	case a.because("rateLimitExceeded", "userRateLimitExceeded", "userRateLimitExceededUnreg", "quotaExceeded",
		"concurrentLimitExceeded", "servingLimitExceeded", "RATE_LIMIT_EXCEEDED"):
		return sdk.KindRateLimited
	case a.Code == http.StatusBadRequest && a.because("duplicate", "alreadyExists"):
		return sdk.KindConflict
	case a.says("user creation is not complete"), a.because("conflict", "aborted", "ABORTED", "backendError"):
		return sdk.KindTransient // somebody else changes the account right now
	case a.Code/100 == 3:
		return sdk.KindInvalid
	}
	// What HTTP itself says is left: 412 and 5xx pass, 409 is a conflict.
	return sdk.FromHTTP(a.Code, nil).Kind
}

// advice says what to do about missing rights, "" if nothing is known.
func advice(a answer) string {
	switch {
	case a.because("accessNotConfigured", "SERVICE_DISABLED"):
		return " (enable the Admin SDK API in the service account's project)"
	case a.because("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
		return " (the delegation lacks a scope)"
	case a.because("forbidden", "notAuthorized"):
		return " (the subject lacks a privilege, or the address is not in a domain of this customer)"
	}
	return ""
}

// fieldIn returns the attribute that a message about a bad value names, "" if it
// names none. What stands last counts: "Invalid Given/Family Name: FamilyName".
func fieldIn(message string) string {
	text := strings.ToLower(message)
	return cmp.Or(fieldNamed(text[strings.LastIndex(text, ":")+1:]), fieldNamed(text))
}

func fieldNamed(text string) string {
	text = strings.NewReplacer("_", "", " ", "").Replace(text)
	for _, f := range []struct{ part, field string }{
		{"primaryuseremail", attrPrimaryEmail}, {"primaryemail", attrPrimaryEmail}, {"domain", attrPrimaryEmail},
		{"familyname", attrFamilyName}, {"givenname", attrGivenName},
		{"invalidouid", attrOrgUnitPath}, {"orgunit", attrOrgUnitPath},
		{"externalid", attrExternalID}, {"phone", attrPhone}, {"organization", attrTitle},
		{"customschema", attrCustomSchemas}, {"customfield", attrCustomSchemas}, {"schema", attrCustomSchemas},
	} {
		if strings.Contains(text, f.part) {
			return f.field
		}
	}
	return ""
}
