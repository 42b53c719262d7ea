package user

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/anteroom-id/anteroom/sdk"
)

// Code names a problem for message catalogues.
type Code string

// The problems of a user's fields.
const (
	CodeRequired         Code = "required"
	CodeTooLong          Code = "too_long"
	CodeLoginSyntax      Code = "login_syntax"
	CodeLoginTaken       Code = "login_taken"
	CodeEmailSyntax      Code = "email_syntax"
	CodePhoneSyntax      Code = "phone_syntax"
	CodeLocaleSyntax     Code = "locale_syntax"
	CodeControl          Code = "control_characters"
	CodePasswordShort    Code = "password_short"
	CodePasswordLong     Code = "password_long"
	CodePasswordCommon   Code = "password_common"
	CodePasswordPersonal Code = "password_personal"
)

// Problem says what is wrong with one field.
type Problem struct {
	Field string `json:"field"` // "login", "email", "password", "groups[0]", …
	Code  Code   `json:"code"`
	Text  string `json:"text"` // in English
}

// Problems is everything that is wrong with a user.
type Problems []Problem

// Error lists the problems with their fields.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.Field + ": " + problem.Text
	}
	return strings.Join(texts, "; ")
}

func (p *Problems) add(field string, code Code, text string) {
	*p = append(*p, Problem{field, code, text})
}

// err returns the problems as an error, nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

const (
	maxTextBytes  = 200
	maxEmailBytes = 254
	maxLogin      = 128 // characters
	maxListItems  = 1000
)

var (
	// loginSyntax leaves out spaces, quotes, brackets and separators, which
	// directories and query languages give a meaning. Its length is checked apart:
	// counted here, it would take 10 ms and 5 MB of every process of the server.
	loginSyntax  = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]+$`)
	phoneSyntax  = regexp.MustCompile(`^\+[1-9][0-9]{5,14}$`)
	localeSyntax = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
)

// NormalizeLogin returns the form of a login that is compared and must be
// unique: NFKC, case folded, without surrounding spaces. Folding sends the two
// cases of Cherokee to each other, so lower case follows; and both may undo the
// normal form.
func NormalizeLogin(login string) string {
	folded := strings.ToLower(cases.Fold().String(norm.NFKC.String(login)))
	return strings.TrimSpace(norm.NFKC.String(folded))
}

// Check returns the user as [Service.Import] would store them, or [Problems]. No
// password ("") is no problem. Whether the login is free it cannot tell.
func Check(u User, password sdk.Secret) (User, error) {
	u = u.tidy()
	problems := u.problems()
	if password != "" {
		problems = append(problems, passwordProblems(u, password)...)
	}
	return u, problems.err()
}

// tidy trims what people type by accident and fills what follows from the rest.
func (u User) tidy() User {
	for _, s := range []*string{&u.Login, &u.Email, &u.GivenName, &u.FamilyName, &u.Name, &u.Locale, &u.PhoneNumber} {
		*s = norm.NFC.String(strings.TrimSpace(*s))
	}
	if u.Name == "" {
		u.Name = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
	}
	u.LoginNorm = NormalizeLogin(u.Login)
	return u
}

// problems reports everything wrong with the user's own fields.
func (u User) problems() Problems {
	var p Problems
	if u.Login == "" {
		p.add("login", CodeRequired, "must be given")
	} else if !loginSyntax.MatchString(u.LoginNorm) || utf8.RuneCountInString(u.LoginNorm) > maxLogin {
		p.add("login", CodeLoginSyntax, "must be 2 to 128 letters, digits or . _ @ + - and begin with a letter or digit")
	}
	u.checkContact(&p)
	checkText(&p, "given_name", u.GivenName)
	checkText(&p, "family_name", u.FamilyName)
	checkText(&p, "name", u.Name)
	u.checkLists(&p)
	return p
}

func (u User) checkContact(p *Problems) {
	if u.Email != "" && !validEmail(u.Email) {
		p.add("email", CodeEmailSyntax, "must be an e-mail address such as name@example.com")
	}
	if u.PhoneNumber != "" && !phoneSyntax.MatchString(u.PhoneNumber) {
		p.add("phone_number", CodePhoneSyntax, "must be an international number such as +4930123456")
	}
	if u.Locale != "" && !localeSyntax.MatchString(u.Locale) {
		p.add("locale", CodeLocaleSyntax, "must be a language tag such as en or de-CH")
	}
}

func (u User) checkLists(p *Problems) {
	if len(u.Groups) > maxListItems || len(u.Claims) > maxListItems {
		p.add("groups", CodeTooLong, fmt.Sprintf("must not hold more than %d entries", maxListItems))
	}
	for i, g := range u.Groups {
		field := fmt.Sprintf("groups[%d]", i)
		if g == "" {
			p.add(field, CodeRequired, "must not be empty")
		}
		checkText(p, field, g)
	}
	for name, values := range u.Claims {
		if name == "" || slices.ContainsFunc(values, hasControl) || hasControl(name) {
			p.add("claims["+name+"]", CodeControl, "must have a name and no control characters")
		}
	}
}

func checkText(p *Problems, field, text string) {
	if len(text) > maxTextBytes {
		p.add(field, CodeTooLong, fmt.Sprintf("must have at most %d bytes", maxTextBytes))
	}
	if hasControl(text) {
		p.add(field, CodeControl, "must not contain control characters")
	}
}

// hasControl finds control and format characters (among them those that turn
// the direction of text) and broken UTF-8.
func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}

// validEmail takes a bare address whose domain has a dot.
func validEmail(s string) bool {
	if len(s) > maxEmailBytes || hasControl(s) || strings.ContainsAny(s, " \"(),:;<>[\\]") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(strings.Trim(domain, "."), ".") && !strings.Contains(domain, "..")
}
