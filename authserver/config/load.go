package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Load reads the file (none if path is ""), lets the environment override it and
// checks the result. The error is [Problems] when the content is at fault; the
// Config then has the values of the keys without a problem, so that they can be
// checked further, and is good for nothing else.
func Load(path string, getenv func(string) string) (Config, error) {
	var raw []byte
	if path != "" {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
	}
	return Parse(raw, getenv)
}

// Parse is [Load] for a file's content.
func Parse(raw []byte, getenv func(string) string) (Config, error) {
	values, problems := flatten(raw)
	var c Config
	for _, k := range keys() {
		problems = append(problems, k.apply(&c, values, getenv)...)
		delete(values, k.path)
	}
	for _, path := range slices.Sorted(maps.Keys(values)) {
		problems = append(problems, Problem{path, "unknown key"})
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
		return c, problems
	}
	return c, nil
}

func (k key) apply(c *Config, values map[string]value, getenv func(string) string) []Problem {
	if values[k.path].list && !k.list {
		return []Problem{{k.path, "must be a single value, not a list"}}
	}
	value, source := values[k.path].text, k.path
	if v := getenv(k.env()); v != "" {
		value, source = v, k.env()
	}
	if value == "" {
		value = k.def
	}
	if value == "" && k.required {
		return []Problem{{k.path, "required: " + k.help + " (or set " + k.env() + ")"}}
	}
	if err := k.set(c, value); err != nil {
		return []Problem{{source, err.Error()}}
	}
	return nil
}

// value is what the file says of a key: a text, or a list's texts with commas
// between.
type value struct {
	text string
	list bool
}

// flatten turns the YAML document into path → value. Unreadable YAML is a problem,
// and so is a list of more than single values.
func flatten(raw []byte) (map[string]value, Problems) {
	out := map[string]value{}
	var doc map[string]any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return out, Problems{{"(file)", firstLine(err)}}
	}
	return out, walk("", doc, out)
}

func walk(prefix string, node map[string]any, out map[string]value) Problems {
	var problems Problems
	for name, v := range node {
		path := prefix + name
		switch v := v.(type) {
		case map[string]any:
			problems = append(problems, walk(path+".", v, out)...)
		case []any:
			text, err := join(v)
			if err != nil {
				problems = append(problems, Problem{path, err.Error()})
				continue
			}
			out[path] = value{text, true}
		case nil:
			out[path] = value{}
		default:
			out[path] = value{text: fmt.Sprint(v)}
		}
	}
	return problems
}

func join(list []any) (string, error) {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
		switch v.(type) {
		case map[string]any, []any, nil:
			return "", fmt.Errorf("must be a list of single values")
		}
		if strings.Contains(texts[i], ",") {
			return "", fmt.Errorf("must not have a comma in a value")
		}
	}
	return strings.Join(texts, ","), nil
}

// firstLine drops the excerpt of the source that the YAML library appends: it
// may show a password.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// IsProblems reports whether the configuration's content is at fault, and how.
func IsProblems(err error) (Problems, bool) { return errors.AsType[Problems](err) }
