package user

import (
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/anteroom-id/anteroom/sdk"
)

// The length rules. There are no composition rules: they make passwords worse. What
// attackers try first is refused instead (NIST SP 800-63B section 3.1.1.2).
const (
	MinPasswordChars = 10
	MaxPasswordBytes = 256
)

// preparePassword brings a password to the form that is hashed, so that the same
// characters typed on another keyboard match (RFC 8265 section 4.2.2).
func preparePassword(password sdk.Secret) string { return norm.NFC.String(password.Reveal()) }

// passwordProblems reports what is wrong with a new password of the user.
func passwordProblems(u User, password sdk.Secret) Problems {
	var p Problems
	plain := preparePassword(password)
	switch {
	case plain == "":
		p.add("password", CodeRequired, "must be given")
	case utf8.RuneCountInString(plain) < MinPasswordChars:
		p.add("password", CodePasswordShort, fmt.Sprintf("must have at least %d characters", MinPasswordChars))
	case len(plain) > MaxPasswordBytes:
		p.add("password", CodePasswordLong, fmt.Sprintf("must have at most %d bytes", MaxPasswordBytes))
	case isPersonal(u, plain):
		p.add("password", CodePasswordPersonal, "must not be made of your login, name or e-mail address")
	case isCommon(plain):
		p.add("password", CodePasswordCommon, "is one of the first that attackers try")
	}
	return p
}
