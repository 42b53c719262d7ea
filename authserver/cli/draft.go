package cli

import (
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

// draftFlags name a rule set in a file, and what it is asked in place of.
type draftFlags struct {
	Draft        string `help:"A rule set in CEL (YAML) or XACML, - for standard input. It is asked in place of the stored ones, and not stored." placeholder:"FILE"`
	DraftName    string `help:"The stored rule set in whose place the draft is asked; by default all of a binding's." placeholder:"NAME"`
	ruleSetFlags `embed:""`
}

// draft returns nil if there is none. Mistakes are told with file, line and column.
func (f draftFlags) draft(r *run, s *daemon.System) (*provisioning.Draft, error) {
	if f.Draft == "" {
		if f.DraftName != "" {
			return nil, fmt.Errorf("%w: --draft-name needs --draft", errUsage)
		}
		return nil, nil
	}
	set, err := f.ruleSet(r, f.Draft)
	if err != nil {
		return nil, err
	}
	set.Name = f.DraftName
	draft, err := s.Rules.Draft(set)
	if err != nil {
		return nil, inFiles(err, documentNames(f.Draft, f.Policy))
	}
	return draft, nil
}

// unused says which rule set no binding names.
func (f draftFlags) unused(err error) error {
	return fmt.Errorf("--draft-name %s: %w", f.DraftName, err)
}
