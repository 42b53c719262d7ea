package device

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"unicode"
)

// alphabet has no letter that looks or sounds like another and no vowel, so that
// no code is a word (RFC 8628 section 6.1). Eight of it are 34.5 bits: enough for
// ten minutes and the few tries that [Limits] leaves.
const (
	alphabet   = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength = 8
	groupSize  = 4
	// maxTyped is far more than anybody types between the letters of a code.
	maxTyped = 64
)

// UserCode is a code that a person types: eight letters of the alphabet.
type UserCode string

// NewUserCode returns a random code.
func NewUserCode() UserCode {
	code := make([]byte, 0, codeLength)
	var b [1]byte
	for len(code) < codeLength {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		// 240 is the last multiple of 20 in a byte: no letter is likelier.
		if int(b[0]) < 256/len(alphabet)*len(alphabet) {
			code = append(code, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return UserCode(code)
}

// ParseUserCode reads what a person typed: in any case, with whatever spaces and
// punctuation between the letters. It returns false for what cannot be a code.
func ParseUserCode(typed string) (UserCode, bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code := make([]byte, 0, codeLength)
	for _, r := range typed {
		switch {
		case r >= 'a' && r <= 'z':
			r += 'A' - 'a'
		case r == unicode.ReplacementChar:
			return "", false
		case unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r):
			continue
		}
		if r > unicode.MaxASCII || !strings.ContainsRune(alphabet, r) || len(code) == codeLength {
			return "", false
		}
		code = append(code, byte(r))
	}
	return UserCode(code), len(code) == codeLength
}

// String returns the code as it is shown: BCDF-GHJK.
func (c UserCode) String() string {
	if len(c) != codeLength {
		return string(c)
	}
	return string(c[:groupSize] + "-" + c[groupSize:])
}

// Codes makes what is stored of user codes. A plain hash of so short a code could be
// turned back by whoever reads the database, so it is keyed.
type Codes struct{ Key []byte }

// Digest returns what is stored of the code.
func (c Codes) Digest(code UserCode) []byte {
	mac := hmac.New(sha256.New, c.Key)
	mac.Write([]byte("device user code:" + string(code)))
	return mac.Sum(nil)
}
