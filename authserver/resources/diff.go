package resources

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/audit"
)

// Action is what a change does to its resource.
type Action string

// The actions.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
)

// Change is what would become of one resource.
type Change struct {
	Action Action        `json:"action"`
	Kind   string        `json:"kind"` // "target", "application", "upstream", "resource server", "user"
	Name   string        `json:"name"`
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is one field's old and new text, "" for none. Secrets show as ***.
type FieldChange struct {
	Path string `json:"path"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Print writes changes for a person, one resource a block.
func Print(w io.Writer, changes []Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no changes")
		return err
	}
	for _, c := range changes {
		sign := map[Action]string{ActionCreate: "+", ActionUpdate: "~"}[c.Action]
		if _, err := fmt.Fprintf(w, "%s %s %s\n", sign, c.Kind, c.Name); err != nil {
			return err
		}
		for _, f := range c.Fields {
			if _, err := fmt.Fprintf(w, "    %s\n", f); err != nil {
				return err
			}
		}
	}
	return nil
}

// String returns "path: old → new".
func (f FieldChange) String() string {
	switch {
	case f.Old == "":
		return f.Path + ": " + f.New
	case f.New == "":
		return f.Path + ": " + f.Old + " → (none)"
	default:
		return f.Path + ": " + f.Old + " → " + f.New
	}
}

// compare returns the change from the current to the desired form of a resource;
// nil when they are equal. A nil current means it does not exist.
func compare(kind, name string, current, desired any) *Change {
	old, wanted := map[string]string{}, flatten(desired)
	c := &Change{Action: ActionCreate, Kind: kind, Name: name}
	if current != nil {
		old, c.Action = flatten(current), ActionUpdate
	}
	paths := maps.Clone(old)
	maps.Copy(paths, wanted)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if old[path] != wanted[path] {
			c.Fields = append(c.Fields, FieldChange{Path: path, Old: old[path], New: wanted[path]})
		}
	}
	if current != nil && len(c.Fields) == 0 {
		return nil
	}
	return c
}

// keyFields name the elements of a list of objects, so that a difference says
// outbound_provisioning.directory.blocking and not [0].
var keyFields = []string{"target", "attribute", "name", "client_id", "login"}

// flatten turns a resource into path → text.
func flatten(v any) map[string]string {
	raw, err := json.Marshal(v)
	if err != nil {
		return map[string]string{"(unreadable)": err.Error()}
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return map[string]string{"(unreadable)": err.Error()}
	}
	out := map[string]string{}
	walk("", tree, out)
	return out
}

func walk(path string, node any, out map[string]string) {
	switch v := node.(type) {
	case map[string]any:
		for name, child := range v {
			walk(join(path, name), child, out)
		}
	case []any:
		walkList(path, v, out)
	default:
		out[path] = plain(v)
	}
}

func walkList(path string, list []any, out map[string]string) {
	words := make([]string, 0, len(list))
	for i, e := range list {
		object, ok := e.(map[string]any)
		if !ok {
			words = append(words, plain(e))
			continue
		}
		walk(join(path, elementName(object, i)), object, out)
	}
	if len(words) > 0 {
		out[path] = strings.Join(words, ", ")
	}
}

func elementName(object map[string]any, i int) string {
	for _, key := range keyFields {
		if name, ok := object[key].(string); ok && name != "" {
			return name
		}
	}
	return fmt.Sprint(i)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// maxAuditedBytes is how long a value may be to be worth keeping in the record of
// what admins did.
const maxAuditedBytes = 200

// act is what the record says of the change: of users, and of what is long, the names
// of the fields alone. Secrets are *** already.
func (c Change) act() audit.Act {
	act := audit.Act{Action: audit.Action(c.Kind + "." + string(c.Action)), Object: audit.Object{Kind: c.Kind, Name: c.Name}}
	for _, f := range c.Fields {
		change := audit.Change{Field: f.Path}
		if c.Kind != "user" && len(f.Old) <= maxAuditedBytes && len(f.New) <= maxAuditedBytes {
			change.Old, change.New = f.Old, f.New
		}
		act.Changes = append(act.Changes, change)
	}
	return act
}
