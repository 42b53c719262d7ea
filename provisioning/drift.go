package provisioning

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// DriftKind says how an account of a target differs from the ledger.
type DriftKind string

// The kinds of drift.
const (
	DriftMissing  DriftKind = "missing"  // linked, but not in the target
	DriftChanged  DriftKind = "changed"  // attributes of the mapping have other values
	DriftInactive DriftKind = "inactive" // inactive though it should be active
	DriftActive   DriftKind = "active"   // active though it should be suspended
	DriftExtra    DriftKind = "extra"    // names one of our users, but is not linked
	DriftOrphaned DriftKind = "orphaned" // of a user who should have no account
)

// Drift is one difference. It names attributes and never their values.
type Drift struct {
	Kind       DriftKind `json:"kind"`
	User       UserID    `json:"user"`
	ExternalID string    `json:"external_id"`
	Attributes []string  `json:"attributes,omitempty"`
	Due        bool      `json:"due,omitempty"` // it was made due, to be repaired
}

// MaxDrifts is how many drifts a report lists; all are counted.
const MaxDrifts = 1000

// DriftReport is the result of comparing the ledger with a target.
type DriftReport struct {
	Target    TargetName `json:"target"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   time.Time  `json:"ended_at"`
	// Complete is set when the target listed everything. Else Incomplete says why
	// not, and nothing is reported missing.
	Complete   bool              `json:"complete"`
	Incomplete string            `json:"incomplete,omitempty"`
	Listed     int               `json:"listed"`  // accounts the target has
	InStep     int               `json:"in_step"` // linked, and as desired
	Skipped    int               `json:"skipped"` // not compared: they have work to do, rules deny it, or they could not be read
	Unknown    int               `json:"unknown"` // not ours
	Due        int               `json:"due"`     // made due, to be repaired
	Counts     map[DriftKind]int `json:"counts"`
	Drifts     []Drift           `json:"drifts,omitempty"` // the first [MaxDrifts]
}

// Total is the number of drifts.
func (r DriftReport) Total() int {
	n := 0
	for _, count := range r.Counts {
		n += count
	}
	return n
}

// of returns a drift of a linked account.
func (s *survey) of(row Account, kind DriftKind) Drift {
	return Drift{Kind: kind, User: row.User, ExternalID: row.ExternalID}
}

// found reports a drift, and makes the account due if it is to be repaired and
// the engine can.
func (s *survey) found(ctx context.Context, d Drift, mendable bool) error {
	if s.repair && mendable {
		n, err := s.Ledger.Retry(ctx, d.User, []TargetName{s.target.Name}, s.Now())
		if err != nil {
			return err
		}
		d.Due = n > 0
		s.report.Due += n
	}
	s.report.Counts[d.Kind]++
	if len(s.report.Drifts) < MaxDrifts {
		s.report.Drifts = append(s.report.Drifts, d)
	}
	return nil
}

// missing walks the ledger for links the target did not list.
func (s *survey) missing(ctx context.Context) error {
	for after := UserID(""); ; {
		rows, err := s.Ledger.Linked(ctx, s.target.Name, after, MatchLimit)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.unlisted(ctx, row); err != nil {
				return err
			}
		}
		if len(rows) < MatchLimit {
			return nil
		}
		after = rows[len(rows)-1].User
	}
}

// unlisted judges a row the list may have lacked. A link that was written since
// the list began proves nothing, nor does the link of a user who should have no
// account.
func (s *survey) unlisted(ctx context.Context, row Account) error {
	if _, listed := s.seen[s.hash(row.ExternalID)]; listed || row.Desired == DesiredAbsent {
		return nil
	}
	if !row.InSync() || row.Skipped() || !row.UpdatedAt.Before(s.report.StartedAt) {
		s.report.Skipped++
		return nil
	}
	if s.conn.Getter == nil {
		return s.found(ctx, s.of(row, DriftMissing), true)
	}
	found, err := s.get(ctx, row.ExternalID)
	switch {
	case sdk.KindOf(err) == sdk.KindNotFound:
		return s.found(ctx, s.of(row, DriftMissing), true)
	case err != nil:
		s.report.Skipped++
		s.incomplete(sdk.AsError(err))
		return nil
	default: // there, whatever the list said
		return s.linked(ctx, row, found)
	}
}

// withoutUnsent leaves out attributes that only updates send and none has sent yet: it
// is no drift that the account is without them.
func (r *run) withoutUnsent() {
	for _, name := range r.mapping.OnlyUpdated() {
		if r.account.Sent[name] == "" {
			delete(r.wanted, name)
		}
	}
}

func names(set sdk.Attributes, clear []string) []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(set)), clear...)))
}
