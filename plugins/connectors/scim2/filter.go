package scim2

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// equals is the filter "key eq value" (RFC 7644, 3.4.2.2). The value is a JSON
// string, so quotes and backslashes in it stay inside it; HTML escaping is off
// because some servers do not undo \u003c.
func equals(key, value string) (string, error) {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "", fmt.Errorf("quote filter value: %w", err)
	}
	return key + " eq " + string(bytes.TrimSpace(quoted.Bytes())), nil
}
