package resources

import (
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// takeRules makes rules that are written in place the source of their rule set, as
// they are written, with comments: so that what is kept is what the author wrote,
// and a mistake can be shown where it is. Rules that cannot be taken out are left.
func takeRules(raw []byte, sets []RuleSet) {
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	var nodes []ast.Node // read only if there is a need
	for i, s := range sets {
		if !s.inPlace() || s.language() != rules.LanguageCEL || s.Source+s.File+s.Template != "" {
			continue
		}
		if nodes == nil {
			nodes = ruleSetNodes(text)
		}
		if i >= len(nodes) {
			return
		}
		source, place := sourceOf(strings.Split(text, "\n"), nodes[i])
		written := RuleSet{Combining: s.Combining, DefaultDecision: s.DefaultDecision, Timezone: s.Timezone, Rules: s.Rules}
		if source == "" || !means(source, written) {
			continue
		}
		s.Source, s.InPlace = source, &place
		s.Combining, s.DefaultDecision, s.Timezone, s.Rules = "", "", "", nil
		sets[i] = s
	}
}

func ruleSetNodes(text string) []ast.Node {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil || len(file.Docs) == 0 {
		return nil
	}
	root, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, entry := range root.Values {
		if list, ok := entry.Value.(*ast.SequenceNode); ok && entry.Key.GetToken().Value == "rule_sets" {
			return list.Values
		}
	}
	return nil
}

// nativeKeys are the keys of a native rule set.
func nativeKeys() map[string]bool {
	return map[string]bool{"combining": true, "default_decision": true, "timezone": true, "rules": true}
}

// sourceOf returns the lines of a rule set's own keys, without their indentation.
// Lines between them are left empty, so that one place stands for all.
func sourceOf(lines []string, n ast.Node) (string, Place) {
	m, ok := n.(*ast.MappingNode)
	if !ok || m.IsFlowStyle || len(m.Values) == 0 {
		return "", Place{}
	}
	first := m.Values[0].Key.GetToken().Position
	place := Place{first.Line, first.Column}
	out := make([]string, endOfEntry(lines, place)-first.Line+1)
	for i, entry := range m.Values {
		if !nativeKeys()[entry.Key.GetToken().Value] {
			continue
		}
		from, to := entry.Key.GetToken().Position.Line, first.Line+len(out)
		if i+1 < len(m.Values) {
			to = startOfKey(lines, m.Values[i+1], place)
		}
		for line := startOfKey(lines, entry, place); line < to || line == from; line++ {
			out[line-first.Line] = cut(lines[line-1], place.Column)
		}
	}
	for len(out) > 0 && out[0] == "" {
		out, place.Line = out[1:], place.Line+1
	}
	return strings.TrimRight(strings.Join(out, "\n"), " \n") + "\n", place
}

// endOfEntry returns the last line of an entry of a list: up to what is indented
// less than its keys.
func endOfEntry(lines []string, at Place) int {
	for i := at.Line; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != "" && indentation(lines[i]) < at.Column-1 {
			return i
		}
	}
	return len(lines)
}

// startOfKey returns the first line of the comment above a key, or the key's own.
func startOfKey(lines []string, entry *ast.MappingValueNode, first Place) int {
	line := entry.Key.GetToken().Position.Line
	for line-1 > first.Line && indentation(lines[line-2]) == first.Column-1 && strings.HasPrefix(strings.TrimSpace(lines[line-2]), "#") {
		line--
	}
	return line
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// cut takes the indentation off a line, and the dash of its entry.
func cut(line string, column int) string {
	if len(line) < column {
		return ""
	}
	return line[column-1:]
}

// means reports whether a source says what was read from the document.
func means(source string, want RuleSet) bool {
	var got RuleSet
	return yaml.UnmarshalWithOptions([]byte(source), &got, yaml.Strict()) == nil && reflect.DeepEqual(got, want)
}
