package ldap

import (
	"encoding/hex"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/google/uuid"
)

// idOf returns the immutable id of an entry as lower-case text, "" if it was not
// read.
func (p profile) idOf(e *goldap.Entry) string {
	if !p.ad {
		id, err := uuid.Parse(e.GetEqualFoldAttributeValue(p.id))
		if err != nil {
			return ""
		}
		return id.String()
	}
	id, err := uuid.FromBytes(e.GetEqualFoldRawAttributeValue(p.id))
	if err != nil {
		return ""
	}
	return swapped(id).String()
}

// byID is the filter for the account with an id; ok is false for what is no id.
func (p profile) byID(text string) (filter string, ok bool) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != strings.ToLower(text) { // braces and the like are not ours
		return "", false
	}
	if !p.ad {
		return "(&" + p.people + "(" + p.id + "=" + id.String() + "))", true
	}
	var value strings.Builder
	for _, b := range swapped(id) {
		value.WriteString(`\` + hex.EncodeToString([]byte{b}))
	}
	return "(&" + p.people + "(" + p.id + "=" + value.String() + "))", true
}

// swapped turns a GUID's first three parts from little to big endian, or back
// ([MS-DTYP] 2.3.4.2): Active Directory stores them as they were in memory.
func swapped(id uuid.UUID) uuid.UUID {
	id[0], id[1], id[2], id[3] = id[3], id[2], id[1], id[0]
	id[4], id[5] = id[5], id[4]
	id[6], id[7] = id[7], id[6]
	return id
}

// escapeDN escapes a value for a name (RFC 4514, 2.4), and = as well: that need
// not be, but Samba does not take it otherwise.
func escapeDN(value string) string { return strings.ReplaceAll(goldap.EscapeDN(value), "=", `\3D`) }
