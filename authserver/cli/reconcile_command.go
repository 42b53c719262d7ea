package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

type targetReconcileCommand struct {
	Name   string `arg:"" help:"Name of the target."`
	Repair bool   `help:"Make the accounts that differ due: the server brings them back in step. Accounts that are not ours stay as they are."`
}

// Run compares the target with the ledger. It fails when the target did not list
// everything: what was found is printed all the same.
func (c targetReconcileCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		if c.Repair {
			err := s.Audit.Note(ctx, audit.Act{Action: "target.repair", Object: named("target", c.Name)})
			if err != nil {
				return err
			}
		}
		report, err := s.Reconcile(ctx, provisioning.TargetName(c.Name), c.Repair)
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		v := viewDrift(report)
		err = r.print(v, func(w io.Writer) {
			printDriftSummary(w, v)
			printDrifts(ctx, w, s, v)
		})
		if err == nil && !report.Complete {
			err = fmt.Errorf("target %q: incomplete: %s", c.Name, report.Incomplete)
		}
		return err
	})
}

type driftReportView struct {
	Target     provisioning.TargetName        `json:"target"`
	StartedAt  time.Time                      `json:"started_at"`
	EndedAt    time.Time                      `json:"ended_at"`
	Complete   bool                           `json:"complete"`
	Incomplete string                         `json:"incomplete,omitempty"`
	Listed     int                            `json:"listed"`
	InStep     int                            `json:"in_step"`
	Skipped    int                            `json:"skipped"`
	Unknown    int                            `json:"unknown"`
	Due        int                            `json:"due"`
	Counts     map[provisioning.DriftKind]int `json:"counts"`
	Drifts     []driftView                    `json:"drifts,omitempty"`
}

type driftView struct {
	Kind       provisioning.DriftKind `json:"kind"`
	User       provisioning.UserID    `json:"user"`
	ExternalID string                 `json:"external_id"`
	Attributes []string               `json:"attributes,omitempty"` // names, never values
	Due        bool                   `json:"due"`
}

func viewDrift(r provisioning.DriftReport) driftReportView {
	v := driftReportView{
		Target: r.Target, StartedAt: utc(r.StartedAt), EndedAt: utc(r.EndedAt), Complete: r.Complete, Incomplete: r.Incomplete,
		Listed: r.Listed, InStep: r.InStep, Skipped: r.Skipped, Unknown: r.Unknown, Due: r.Due, Counts: r.Counts,
	}
	for _, d := range r.Drifts {
		v.Drifts = append(v.Drifts, driftView(d))
	}
	return v
}

// total counts the drifts, including those the report does not list.
func (v driftReportView) total() int { return provisioning.DriftReport{Counts: v.Counts}.Total() }

// summary says in one line what a comparison found.
func (v driftReportView) summary() string {
	parts := []string{fmt.Sprintf("%d listed, %d in step, %d unknown", v.Listed, v.InStep, v.Unknown)}
	if v.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d not compared", v.Skipped))
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", v.Counts[kind], kind))
	}
	if v.total() == 0 {
		parts = append(parts, "no drift")
	}
	if !v.Complete {
		parts = append(parts, "incomplete: "+v.Incomplete)
	}
	return strings.Join(parts, ", ")
}

func printDriftSummary(w io.Writer, v driftReportView) {
	row(w, "target:", v.Target)
	row(w, "took:", v.EndedAt.Sub(v.StartedAt).Round(time.Millisecond))
	row(w, "result:", v.summary())
	if v.Due > 0 {
		row(w, "due:", fmt.Sprintf("%d accounts, to be repaired", v.Due))
	}
}

func printDrifts(ctx context.Context, w io.Writer, s *daemon.System, v driftReportView) {
	if len(v.Drifts) == 0 {
		return
	}
	row(w, "DRIFT", "USER", "EXTERNAL ID", "ATTRIBUTES", "DUE")
	for _, d := range v.Drifts {
		login := loginOf(ctx, s, d.User)
		if login == "" {
			login = string(d.User)
		}
		row(w, d.Kind, login, dash(d.ExternalID), dash(strings.Join(d.Attributes, ", ")), d.Due)
	}
	if more := v.total() - len(v.Drifts); more > 0 {
		row(w, fmt.Sprintf("and %d more", more))
	}
}
