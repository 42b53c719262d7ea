package salesforce

import (
	"regexp"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// idForm is an id of 15 characters, whose case matters, or the same with a
// checksum of 3 that makes it fit for systems where it does not.
var idForm = regexp.MustCompile(`^[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?$`)

// idOf returns the form with 18 characters, which is the one the API answers
// with; "" when text is no id.
func idOf(text string) string {
	if !idForm.MatchString(text) {
		return ""
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	id := text[:15]
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			if c := text[chunk*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		id += alphabet[bits : bits+1]
	}
	return id
}

// longID makes the short form of an id long where the field is one, so that it
// compares equal to what the org answers.
func longID(field, text string) string {
	if id := idOf(text); strings.HasSuffix(field, "Id") && id != "" {
		return id
	}
	return text
}

// checkID refuses what no org gives as an id, so that it addresses nothing else
// than one account.
func checkID(id string) error {
	if idOf(id) == "" {
		return sdk.NotFound("no org gives such an id")
	}
	return nil
}
