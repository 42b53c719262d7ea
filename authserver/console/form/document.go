package form

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Values returns what a document has in it, by path; a list of texts has a value for
// each. A document is anything that JSON can hold.
func Values(document any) (url.Values, error) {
	tree, err := treeOf(document)
	if err != nil {
		return nil, err
	}
	out := url.Values{}
	collect("", tree, out)
	return out, nil
}

func treeOf(document any) (any, error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	var tree any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	return tree, nil
}

func collect(path string, node any, out url.Values) {
	switch v := node.(type) {
	case map[string]any:
		for name, child := range v {
			at := name
			if path != "" {
				at = path + "." + name
			}
			collect(at, child, out)
		}
	case []any:
		for i, child := range v {
			if text, ok := scalar(child); ok {
				out.Add(path, text)
			} else {
				collect(path+"["+strconv.Itoa(i)+"]", child, out)
			}
		}
	default:
		if text, ok := scalar(v); ok {
			out.Set(path, text)
		}
	}
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}

// Update writes what was sent for the inputs over the document and decodes the
// outcome into out; what has no input stays. A value that does not fit its input is a
// problem and leaves the document as it was there.
func Update(document any, inputs []Input, sent url.Values, out any) (Problems, error) {
	tree, err := treeOf(document)
	if err != nil {
		return nil, err
	}
	problems := Problems{}
	for _, in := range inputs {
		if in.Fixed {
			continue
		}
		value, keep, problem := in.value(sent)
		if problem != "" {
			problems[in.Path] = problem
		}
		if keep || problem != "" {
			continue
		}
		steps, err := stepsOf(in.Path)
		if err != nil {
			return nil, err
		}
		if tree, err = set(tree, steps, value); err != nil {
			return nil, fmt.Errorf("set %s: %w", in.Path, err)
		}
	}
	raw, err := json.Marshal(tree)
	if err == nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil {
		return nil, fmt.Errorf("write document: %w", err)
	}
	return problems, nil
}

// value returns what the document is to have; nil takes the value out, keep leaves it.
func (in Input) value(sent url.Values) (value any, keep bool, problem string) {
	text := strings.TrimSpace(strings.ReplaceAll(sent.Get(in.Path), "\r\n", "\n"))
	switch in.Kind {
	case Check:
		return (text == "true") != in.Inverted, false, ""
	case Lines:
		return lines(text), false, ""
	case Several:
		return append([]string{}, sent[in.Path]...), false, ""
	case Secret:
		return map[string]string{"value": text}, text == "", ""
	}
	if text == "" {
		return nil, false, in.missing()
	}
	if in.Kind == Number {
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return nil, false, "must be a whole number"
		}
		return json.Number(text), false, ""
	}
	return text, false, ""
}

func (in Input) missing() string {
	if in.Required {
		return "must be given"
	}
	return ""
}

func lines(text string) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
