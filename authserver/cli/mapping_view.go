package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// mappingOf adds what the account's attributes are made of: names, or with values
// what the profile gives now. A connector that cannot be asked is no reason to
// show nothing else.
func (h accountHistory) mappingOf(ctx context.Context, s *daemon.System, values bool) accountHistory {
	var err error
	if values {
		h.Mapping, err = s.Preview(ctx, h.Account.User, h.Account.Target)
	} else {
		h.Mapping, err = s.Mapping(ctx, h.Account.Target)
	}
	if err != nil {
		h.MappingError = err.Error()
	}
	return h
}

// printMapping writes one line of names, or a line per attribute with its value.
func printMapping(w io.Writer, indent string, h accountHistory, values bool) {
	if h.MappingError != "" {
		row(w, indent+"mapping:", "not known: "+h.MappingError)
		return
	}
	if !values {
		row(w, indent+"mapping:", strings.Join(list(h.Mapping, func(m provisioning.MappedAttribute) string {
			return m.Attribute + " from " + m.From
		}), ", "))
		return
	}
	for _, m := range h.Mapping {
		row(w, indent+"now "+m.Attribute+":", fmt.Sprintf("%s (from %s)", nowText(m), m.From))
	}
}

// nowText is the value, or why there is none.
func nowText(m provisioning.MappedAttribute) string {
	text := "nothing"
	switch {
	case m.Hidden:
		text = sdk.Secret("hidden").String()
	case m.Value != nil:
		text = valueText(m.Value)
	case m.WouldBe && m.Error == "":
		text = "a new one"
	case m.Error != "":
		return "not known: " + m.Error
	}
	if m.WouldBe {
		text = "would be " + text
	}
	if m.Error != "" {
		text += ", " + m.Error
	}
	return text
}

func valueText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(text)
}

type targetMappingCommand struct {
	Name string `arg:"" help:"Name of the target."`
	User string `help:"Login or id: show the values that this user's profile gives now. Nothing is written or reserved."`
}

// targetMapping is what target mapping prints.
type targetMapping struct {
	Target     provisioning.TargetName        `json:"target"`
	User       string                         `json:"user,omitempty"`
	Attributes []provisioning.MappedAttribute `json:"attributes"`
}

// Run shows what a target's attributes are made of. It fails if the user would get no
// account because of one of them.
func (c targetMappingCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		view, err := c.read(ctx, s)
		if err != nil {
			return err
		}
		failed := 0
		for _, m := range view.Attributes {
			if m.Error != "" && m.Value == nil {
				failed++
			}
		}
		err = r.print(view, view.table)
		if err == nil && failed > 0 {
			err = fmt.Errorf("target %q: %s", c.Name, plural(failed, "attribute has no value", "attributes have no value"))
		}
		return err
	})
}

func (v targetMapping) table(w io.Writer) {
	head := []any{"ATTRIBUTE", "KIND", "APPLY", "FROM"}
	if v.User != "" {
		head = append(head, "NOW")
	}
	row(w, head...)
	for _, m := range v.Attributes {
		cells := []any{m.Attribute, m.Kind, m.Apply, strings.Join(strings.Fields(m.From), " ")}
		if v.User != "" {
			cells = append(cells, nowText(m))
		}
		row(w, cells...)
	}
}

func (c targetMappingCommand) read(ctx context.Context, s *daemon.System) (targetMapping, error) {
	view, err := targetMapping{Target: provisioning.TargetName(c.Name)}, error(nil)
	if c.User == "" {
		view.Attributes, err = s.Mapping(ctx, view.Target)
	} else {
		u, unknown := findUser(ctx, s, c.User)
		if unknown != nil {
			return view, unknown
		}
		view.User = u.Login
		view.Attributes, err = s.Preview(ctx, u.ID, view.Target)
	}
	if err != nil {
		return view, about(fmt.Sprintf("target %q", c.Name), err)
	}
	return view, nil
}
