package sdk

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Secret is a string that never shows itself: every way of printing, logging or
// encoding it yields "***". Use [Secret.Reveal] at the one place that sends it.
//
// Three doors stay open, because they pass a type's methods by: package fmt
// prints the unexported fields of a struct, and anything under the verb %p, and
// encoding/json writes the keys of a map. Do not print a struct that keeps a
// Secret in an unexported field, and do not make one a key.
type Secret string

const redacted = "***"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "***".
func (s Secret) String() string { return redacted }

// GoString returns "***".
func (s Secret) GoString() string { return redacted }

// Format writes "***" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "***".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "***" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// LogValue returns "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
