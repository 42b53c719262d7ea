package sql

import (
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// statement is one of the admin's statements.
type statement struct {
	parsed
	field string // of the configuration
}

// given is 1 for a statement that is configured, else 0.
func (s statement) given() int {
	if s.text == "" {
		return 0
	}
	return 1
}

// missing is the failure of a verb that no statement is configured for.
func (s statement) missing() error {
	if s.text != "" {
		return nil
	}
	return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: s.field, Message: "no statement is configured for " + s.field}
}

// bind returns the arguments of a statement.
func (s statement) bind(values map[string]any) []any {
	args := make([]any, len(s.names))
	for i, name := range s.names {
		args[i] = values[name]
	}
	return args
}

type statements struct {
	lookup, get, create, update, setActive, remove, list statement
	groups, groupAdd, groupRemove                        statement
}

// all are those that are configured.
func (s statements) all() []statement {
	list := []statement{s.lookup, s.get, s.create, s.update, s.setActive, s.remove, s.list, s.groups, s.groupAdd, s.groupRemove}
	return slices.DeleteFunc(list, func(s statement) bool { return s.text == "" })
}

// statements reads the statements and reports what can be said without the
// database.
func (c Config) statements() (statements, []sdk.Problem) {
	var problems []sdk.Problem
	read := func(field, text string, needs []string, allows ...string) statement {
		s := statement{field: field}
		if strings.TrimSpace(text) == "" && field != "lookup" && field != "get" && field != "create" && field != "update" {
			return s
		}
		p, err := parse(text)
		message := ""
		if err != nil {
			message = err.Error()
		} else {
			message = judge(p.names, needs, append(slices.Clip(allows), needs...))
		}
		if message != "" {
			problems = append(problems, sdk.Problem{Field: field, Message: message})
		}
		s.parsed = p
		return s
	}
	names := make([]string, 0, 16)
	for _, a := range attributes() {
		names = append(names, a.Name)
	}
	id, member := []string{nameID}, []string{nameID, nameGroup}
	return statements{
		lookup:      read("lookup", c.Lookup, []string{keyUserID, keyLogin}),
		get:         read("get", c.Get, id),
		create:      read("create", c.Create, []string{keyLogin}, append(names, nameActive)...),
		update:      read("update", c.Update, id, names...),
		setActive:   read("set_active", c.SetActive, []string{nameID, nameActive}),
		remove:      read("delete", c.Delete, id),
		list:        read("list", c.List, nil),
		groups:      read("groups", c.Groups, id),
		groupAdd:    read("group_add", c.GroupAdd, member),
		groupRemove: read("group_remove", c.GroupRemove, member),
	}, problems
}

// judge says what is wrong with a statement's parameters, "" for nothing.
func judge(names, needs, allows []string) string {
	for _, name := range needs {
		if !slices.Contains(names, name) {
			return "must use :" + name
		}
	}
	for _, name := range names {
		if !slices.Contains(allows, name) {
			return "has the parameter :" + name + ", which it does not get"
		}
	}
	return ""
}
