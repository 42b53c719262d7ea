//go:build !faultpoints

package faultpoint

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
)

// Faults is nothing in this build.
type Faults struct{}

// New returns nil.
func New(func(string) string) *Faults { return nil }

// Ledger returns l.
func (*Faults) Ledger(l provisioning.Ledger) provisioning.Ledger { return l }

// Queue returns q.
func (*Faults) Queue(q runner.Queue) runner.Queue { return q }

// Health returns h.
func (*Faults) Health(h provisioning.HealthRecorder) provisioning.HealthRecorder { return h }

// Admission returns a.
func (*Faults) Admission(a provisioning.Admission) provisioning.Admission { return a }

// Reservations returns r.
func (*Faults) Reservations(r provisioning.Reservations) provisioning.Reservations { return r }

// Targets returns t.
func (*Faults) Targets(t provisioning.Targets) provisioning.Targets { return t }

// Tx returns t.
func (*Faults) Tx(_ string, t provisioning.Tx) provisioning.Tx { return t }

// Clock returns now.
func (*Faults) Clock(now func() time.Time) func() time.Time { return now }
