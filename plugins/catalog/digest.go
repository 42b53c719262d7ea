package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Content is the digest by which a package is stored and approved. It is the
// program's own SHA-256 when the program is all there is; otherwise the SHA-256
// of a list of all files, so that an approval covers what a script loads too.
func (m Manifest) Content() string {
	if len(m.Files) == 0 {
		return m.Digest
	}
	lines := []string{m.Digest + "  " + m.Program() + "\n"}
	for _, f := range m.Files {
		lines = append(lines, f.SHA256+"  "+f.Path+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// SchemaDigest identifies what a target's configuration and its mapping depend
// on. It is the SHA-256 of a JSON text that docs/connectors.md defines; texts for
// people do not change it, nor does the order of the declarations.
func SchemaDigest(d sdk.Description) string {
	config := make([][]any, len(d.Config))
	for i, f := range d.Config {
		config[i] = []any{f.Name, f.Type, f.Required, f.Secret, f.Default, append([]string{}, f.Enum...), f.When.String()}
	}
	attributes := make([][]any, len(d.Attributes))
	for i, a := range d.Attributes {
		attributes[i] = []any{a.Name, a.Type, a.Required, a.MultiValued, a.CreateOnly, a.CaseExact, a.Correlate, a.Owner, a.Source}
	}
	byName := func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) }
	slices.SortStableFunc(config, byName)
	slices.SortStableFunc(attributes, byName)
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode([]any{config, attributes}) // strings, numbers and booleans always encode
	sum := sha256.Sum256([]byte(strings.TrimSuffix(text.String(), "\n")))
	return hex.EncodeToString(sum[:])
}

// Agrees reports in what the program's own description is not what its manifest
// promised, nil if in nothing.
func (m Manifest) Agrees(d sdk.Description) error {
	differs := func(field, promised, found string) error {
		return fmt.Errorf("%s is %q in %s, and %q in the program", field, promised, ManifestName, found)
	}
	promised, found := capabilityList(m.Capabilities), capabilityList(d.Capabilities)
	switch {
	case m.Name != d.Name:
		return differs("name", m.Name, d.Name)
	case m.Version != d.Version:
		return differs("version", m.Version, d.Version)
	case promised != found:
		return differs("capabilities", promised, found)
	case m.SchemaDigest != SchemaDigest(d):
		return differs("schema_digest", m.SchemaDigest, SchemaDigest(d))
	}
	return nil
}

func capabilityList(list []sdk.Capability) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = string(c)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
