package user

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/anteroom-id/anteroom/sdk"
)

// The length rules. There are no composition rules: they make passwords worse
// (NIST SP 800-63B section 5.1.1.2).
const (
	MinPasswordChars = 10
	MaxPasswordBytes = 256
)

// commonPasswords are frequent ones long enough to pass the length rule, one a
// line, case folded.
//
//go:embed common_passwords.txt
var commonPasswords string

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
		p.add("password", CodePasswordPersonal, "must not be your login or e-mail address")
	case isCommon(plain):
		p.add("password", CodePasswordCommon, "is one of the first that attackers try")
	}
	return p
}

func isPersonal(u User, plain string) bool {
	folded := NormalizeLogin(plain)
	local, _, _ := strings.Cut(u.Email, "@")
	for _, own := range []string{u.Login, u.Email, local, u.Name} {
		if own != "" && folded == NormalizeLogin(own) {
			return true
		}
	}
	return false
}

// isCommon also catches one character, or a few, over and over.
func isCommon(plain string) bool {
	folded := cases.Fold().String(plain)
	for common := range strings.Lines(commonPasswords) {
		if folded == strings.TrimSpace(common) {
			return true
		}
	}
	for period := 1; period <= 3; period++ {
		if len(folded) > period && folded[period:] == folded[:len(folded)-period] {
			return true
		}
	}
	return false
}
