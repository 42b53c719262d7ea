package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
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
	if m.Error != "" {
		return "not known: " + m.Error
	}
	return valueText(m.Value)
}

func valueText(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(text)
}
