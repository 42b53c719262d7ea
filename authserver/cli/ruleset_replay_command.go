package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

type rulesetReplayCommand struct {
	draftFlags  `embed:""`
	Application string    `help:"Only sign-ins to this application, by its client_id."`
	Last        int       `help:"At most this many sign-ins, the latest; 100 unless --since is given."`
	Since       time.Time `help:"Sign-ins since then, such as 2026-03-01T00:00:00Z." placeholder:"TIME"`
	Examples    int       `help:"How many of each kind of change are listed." default:"5"`
}

// usualReplay is how many sign-ins are asked about if nothing is said.
const usualReplay = 100

// Run asks a draft about sign-ins that have been, and says how its answers are others.
func (c rulesetReplayCommand) Run(r *run) error {
	switch {
	case c.Draft == "":
		return fmt.Errorf("%w: --draft is required", errUsage)
	case c.Last < 0 || c.Examples < 0:
		return fmt.Errorf("%w: --last and --examples must not be negative", errUsage)
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		rehearsal, err := c.rehearsal(ctx, r, s)
		if err != nil {
			return err
		}
		report, err := s.Simulator.Replay(ctx, rehearsal)
		switch {
		case errors.Is(err, provisioning.ErrDraftUnused) && c.DraftName != "":
			return c.unused(provisioning.ErrDraftUnused)
		case errors.Is(err, provisioning.ErrDraftUnused):
			return errors.New("none of the sign-ins was to an application with a binding")
		case err != nil:
			return err
		}
		v := replayView{report}
		return r.printText(v, v.write)
	})
}

func (c rulesetReplayCommand) rehearsal(ctx context.Context, r *run, s *daemon.System) (provisioning.Rehearsal, error) {
	out := provisioning.Rehearsal{Client: provisioning.ClientID(c.Application), Since: c.Since, Last: c.Last, Examples: c.Examples}
	if c.Last == 0 && c.Since.IsZero() {
		out.Last = usualReplay
	}
	if c.Application != "" {
		if _, err := s.Applications.Get(ctx, out.Client); err != nil {
			return out, about(fmt.Sprintf("application %q", c.Application), err)
		}
	}
	var err error
	out.Draft, err = c.draft(r, s)
	return out, err
}

// replayView is what replay prints.
type replayView struct{ provisioning.ReplayReport }

func (v replayView) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if v.SignIns == 0 {
		row(t, "no sign-in is recorded")
		return t.Flush()
	}
	row(t, "sign-ins:", fmt.Sprintf("%d, from %s to %s", v.SignIns, when(v.Oldest), when(v.Newest)))
	row(t, "asked with:", "what was known of each sign-in, and the profile and bindings of now; profiles are not recorded")
	if v.Gone > 0 {
		row(t, "left out:", plural(v.Gone, "sign-in", "sign-ins")+" of users who are not there any more")
	}
	row(t, "would be refused:", plural(v.Refused, "sign-in", "sign-ins"))
	row(t)
	row(t, "THEN", "DRAFT", "TIMES")
	for _, c := range v.Counts {
		cells := []any{answerText(c.Then), c.Draft, c.Count}
		if !c.Changes() {
			cells = append(cells, "no change")
		}
		row(t, cells...)
	}
	if len(v.Examples) > 0 {
		row(t)
		row(t, "REFERENCE", "USER", "APPLICATION", "TARGET", "AT", "THEN", "DRAFT")
	}
	for _, x := range v.Examples {
		row(t, dash(x.Reference), x.Login, x.Application, x.Target, when(x.At), answer(x.Then, x.ThenRules), refused(x))
	}
	return t.Flush()
}

func refused(x provisioning.ReplayExample) string {
	text := answer(x.Draft, x.DraftRules)
	if x.Refused {
		text += "; refused"
	}
	return text
}

func answerText(o provisioning.RuleOutcome) string {
	if o == provisioning.RuleNone {
		return "not asked"
	}
	return string(o)
}

// answer is an outcome with the rules it is by.
func answer(o provisioning.RuleOutcome, traces []provisioning.RuleTrace) string {
	if len(traces) == 0 {
		return answerText(o)
	}
	return answerText(o) + ": " + traced(traces)
}
