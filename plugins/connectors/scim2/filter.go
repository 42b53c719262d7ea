package scim2

import (
	"bytes"
	"encoding/json"
)

// equals is the filter "key eq value" (RFC 7644, 3.4.2.2). The value is a JSON
// string, so quotes and backslashes in it stay inside it; HTML escaping is off
// because some servers do not undo \u003c.
func equals(key, value string) string {
	return key + " eq " + quoted(value)
}

func quoted(value string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // a string always encodes
	return string(bytes.TrimSpace(b.Bytes()))
}
