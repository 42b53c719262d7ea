package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

type bindingSimulateCommand struct {
	User        string    `required:"" xor:"person" help:"Login or id of the user."`
	Attributes  string    `required:"" xor:"person" help:"Instead of --user: a file with somebody who is not there yet, with the keys of a user in a resources file." placeholder:"FILE"`
	Application string    `required:"" help:"The application's client_id."`
	Target      string    `help:"Only this target; by default all of the application's."`
	At          time.Time `help:"What rules take for now, such as 2026-03-29T02:30:00+01:00." placeholder:"TIME"`
	Operation   string    `help:"What rules take for the operation, create or update; by default what would be done." enum:"create,update," default:""`
	Scope       []string  `help:"A scope of the sign-in; repeat for several."`
	IP          string    `name:"ip" help:"The browser's address."`
	ACR         string    `name:"acr" help:"The sign-in's acr."`
	AMR         []string  `name:"amr" help:"A method of authentication; repeat for several."`
	DiffTarget  bool      `help:"Read the target and say what would be done to it."`
	ShowValues  bool      `help:"Show values of the person and of their account; else there are names."`
	draftFlags  `embed:""`
}

// Run says what a sign-in would come to. It changes nothing.
func (c bindingSimulateCommand) Run(r *run) error {
	if _, err := netip.ParseAddr(c.IP); c.IP != "" && err != nil {
		return fmt.Errorf("%w: --ip %s: is no address such as 192.0.2.7 or 2001:db8::7", errUsage, c.IP)
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		scenario, err := c.scenario(ctx, r, s)
		if err != nil {
			return err
		}
		out, err := s.Simulator.Simulate(ctx, scenario)
		switch {
		case errors.Is(err, provisioning.ErrBindingNotFound) && c.Target == "":
			return fmt.Errorf("application %q: has no binding", c.Application)
		case errors.Is(err, provisioning.ErrBindingNotFound):
			return about(fmt.Sprintf("binding %s %s", c.Application, c.Target), err)
		case errors.Is(err, provisioning.ErrDraftUnused):
			return c.unused(provisioning.ErrDraftUnused)
		case err != nil:
			return err
		}
		v := viewSimulation(out, c.ShowValues, s.Now())
		return r.printText(v, v.write)
	})
}

func (c bindingSimulateCommand) scenario(ctx context.Context, r *run, s *daemon.System) (provisioning.Scenario, error) {
	out := provisioning.Scenario{
		Client: provisioning.ClientID(c.Application), Target: provisioning.TargetName(c.Target), At: c.At,
		Compare: c.DiffTarget, ShowValues: c.ShowValues,
		Facts: provisioning.Facts{Scopes: c.Scope, ACR: c.ACR, AMR: c.AMR, IP: c.IP, AuthTime: s.Now()},
	}
	given(&out.Operation, c.Operation)
	if _, err := s.Applications.Get(ctx, out.Client); err != nil && out.Client != provisioning.DefaultClient {
		return out, about(fmt.Sprintf("application %q", c.Application), err)
	}
	var err error
	if c.Attributes != "" {
		out.Profile, err = readPerson(c.Attributes)
	} else {
		u, errUser := findUser(ctx, s, c.User)
		out.User, err = u.ID, errUser
	}
	if err != nil {
		return out, err
	}
	out.Draft, err = c.draft(r, s)
	return out, err
}

// newPerson is the id of somebody who is not there yet; no user has one like it.
const newPerson provisioning.UserID = "(new)"

// placeInYAML is how the decoder says where a mistake is.
var placeInYAML = regexp.MustCompile(`^\[(\d+:\d+)\] `)

func readPerson(file string) (*provisioning.Profile, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read attributes: %w", err)
	}
	u, err := resources.ParsePerson(raw)
	if problems, ok := resources.IsProblems(err); ok {
		var all rules.Problems // each on a line of its own
		for _, p := range problems {
			all = append(all, &rules.Error{Source: file, Text: p.String()})
		}
		return nil, all
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%s", file, placeInYAML.ReplaceAllString(err.Error(), "$1: "))
	}
	u.ID = newPerson
	p := u.Profile()
	return &p, nil
}
