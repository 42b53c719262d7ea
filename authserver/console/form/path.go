package form

import (
	"fmt"
	"strconv"
	"strings"
)

// maxList bounds the index in a path: a form has no more rows than people fill in.
const maxList = 1000

// step is one part of a path: a name, or a place in a list.
type step struct {
	name  string
	index int // -1 for a name
}

// stepsOf takes a path apart.
func stepsOf(path string) ([]step, error) {
	var out []step
	for part := range strings.SplitSeq(path, ".") {
		name, rest, _ := strings.Cut(part, "[")
		if name == "" {
			return nil, fmt.Errorf("path %q has an empty name", path)
		}
		out = append(out, step{name, -1})
		for rest != "" {
			index, after, ok := strings.Cut(rest, "]")
			n, err := strconv.Atoi(index)
			if !ok || err != nil || n < 0 || n >= maxList {
				return nil, fmt.Errorf("path %q has no place in a list at %q", path, rest)
			}
			out = append(out, step{"", n})
			rest = strings.TrimPrefix(after, "[")
		}
	}
	return out, nil
}

// set returns the tree with the value at the place, making what is missing on the
// way. A nil value takes the place out of its object.
func set(tree any, at []step, value any) (any, error) {
	if len(at) == 0 {
		return value, nil
	}
	if at[0].index >= 0 {
		return setElement(tree, at, value)
	}
	object, ok := tree.(map[string]any)
	if !ok && tree != nil {
		return nil, fmt.Errorf("%s is in no object", at[0].name)
	}
	if object == nil {
		object = map[string]any{}
	}
	child, err := set(object[at[0].name], at[1:], value)
	if err != nil {
		return nil, err
	}
	object[at[0].name] = child
	if child == nil {
		delete(object, at[0].name)
	}
	return object, nil
}

func setElement(tree any, at []step, value any) (any, error) {
	list, ok := tree.([]any)
	if !ok && tree != nil {
		return nil, fmt.Errorf("[%d] is in no list", at[0].index)
	}
	for len(list) <= at[0].index {
		list = append(list, nil)
	}
	child, err := set(list[at[0].index], at[1:], value)
	if err != nil {
		return nil, err
	}
	list[at[0].index] = child
	return list, nil
}
