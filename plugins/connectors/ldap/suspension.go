package ldap

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// suspension is how a directory says that an account is suspended.
type suspension interface {
	reads() []string
	active(*goldap.Entry) bool
	// set returns what makes the entry so, nothing if it is.
	set(e *goldap.Entry, active bool) ([]modification, error)
	// initial returns what a new entry has.
	initial(active bool) map[string]string
}

// modification replaces an attribute's values; none removes it.
type modification struct {
	name   string
	values []string
}

// lockedForever is the value of pwdAccountLockedTime of an account that only an
// administrator unlocks (draft-behera-ldap-password-policy-11, 5.3.3). Any other
// is the passing lock after wrong passwords, which is none of our business.
const lockedForever = "000001010000Z"

// valueSuspension is an attribute that has a certain value in suspended accounts.
type valueSuspension struct {
	attribute, suspended, whenActive string
}

func (s valueSuspension) reads() []string { return []string{s.attribute} }

func (s valueSuspension) active(e *goldap.Entry) bool {
	return !strings.EqualFold(e.GetEqualFoldAttributeValue(s.attribute), s.suspended)
}

func (s valueSuspension) set(e *goldap.Entry, active bool) ([]modification, error) {
	if s.active(e) == active {
		return nil, nil
	}
	m := modification{name: s.attribute, values: []string{s.suspended}}
	if active {
		m.values = present(s.whenActive)
	}
	return []modification{m}, nil
}

func (s valueSuspension) initial(active bool) map[string]string {
	if !active {
		return map[string]string{s.attribute: s.suspended}
	}
	return map[string]string{s.attribute: s.whenActive}
}

// present is a list of the value, empty for "".
func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// Flags of userAccountControl ([MS-ADTS] 2.2.16).
const (
	uacDisabled          = 0x0002
	uacPasswordNotNeeded = 0x0020
	uacNormal            = 0x0200
)

const (
	nameAccountControl  = "userAccountControl"
	namePasswordLastSet = "pwdLastSet"
	nameUnicodePassword = "unicodePwd"
)

// accountControl is how Active Directory does it.
type accountControl struct{}

func (accountControl) reads() []string { return []string{nameAccountControl, namePasswordLastSet} }

func (accountControl) flags(e *goldap.Entry) (int64, error) {
	// The value is a signed 32-bit number.
	return strconv.ParseInt(e.GetEqualFoldAttributeValue(nameAccountControl), 10, 32)
}

func (a accountControl) active(e *goldap.Entry) bool {
	flags, err := a.flags(e)
	return err == nil && flags&uacDisabled == 0
}

// set keeps the other flags. An account that was made suspended and never had a
// password gets a random one that nobody knows when it becomes active, because
// one without must not be: see [accountControl.initial].
func (a accountControl) set(e *goldap.Entry, active bool) ([]modification, error) {
	flags, err := a.flags(e)
	if err != nil {
		return nil, sdk.Forbidden("userAccountControl cannot be read: may bind_dn read it?")
	}
	if a.active(e) == active {
		return nil, nil
	}
	if !active {
		return []modification{{nameAccountControl, []string{strconv.FormatInt(flags|uacDisabled, 10)}}}, nil
	}
	var out []modification
	if flags&uacPasswordNotNeeded != 0 && never(e.GetEqualFoldAttributeValue(namePasswordLastSet)) {
		flags &^= uacPasswordNotNeeded
		out = append(out, modification{nameUnicodePassword, []string{quotedUTF16(randomPassword())}})
	}
	return append(out, modification{nameAccountControl, []string{strconv.FormatInt(flags&^uacDisabled, 10)}}), nil
}

// never reports whether a point in time is none.
func never(fileTime string) bool { return fileTime == "" || fileTime == "0" }

// initial is a suspended account that needs no password yet, whatever is wanted:
// Active Directory takes a password only for an entry that is there, and refuses
// active accounts without one. The two flags together are what the directory
// itself gives new accounts, and no administrator's tool leaves them so.
func (accountControl) initial(bool) map[string]string {
	return map[string]string{nameAccountControl: strconv.Itoa(uacNormal | uacDisabled | uacPasswordNotNeeded)}
}

// randomPassword has characters of four classes, and none of which a name could
// be made that a password policy would find in it. It is 40 of 24 characters, 183
// bits, and forgotten at once.
func randomPassword() string {
	const alphabet = "0123456789!#$%&*+-=?@^_~"
	random := make([]byte, 160)
	_, _ = rand.Read(random) // never fails
	out := []byte("Qz")
	for i := 0; i < len(random); i += 4 {
		n := binary.BigEndian.Uint32(random[i:])
		out = append(out, alphabet[n%uint32(len(alphabet))])
	}
	return string(out)
}

// quotedUTF16 is a password as unicodePwd takes it ([MS-ADTS] 3.1.1.3.1.5.1).
func quotedUTF16(password string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}
