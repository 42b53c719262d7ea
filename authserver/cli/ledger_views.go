package cli

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

type accountView struct {
	User          provisioning.UserID     `json:"user"`
	Login         string                  `json:"login,omitempty"` // "" when the user is deleted
	Target        provisioning.TargetName `json:"target"`
	State         provisioning.State      `json:"state"`
	Working       bool                    `json:"working"` // a server works on it now
	Desired       provisioning.Desired    `json:"desired"`
	DesiredRev    int64                   `json:"desired_rev"`
	AppliedRev    int64                   `json:"applied_rev"`
	ExternalID    string                  `json:"external_id,omitempty"`
	Held          bool                    `json:"held"`              // waits for anteroom target approve
	Skipped       bool                    `json:"skipped,omitempty"` // rules do not permit it
	Created       bool                    `json:"created"`
	Adopted       bool                    `json:"adopted"`
	Outcome       provisioning.Outcome    `json:"outcome,omitempty"`
	Kind          sdk.Kind                `json:"kind,omitempty"`
	Field         string                  `json:"field,omitempty"`
	Detail        string                  `json:"detail,omitempty"`
	Advice        string                  `json:"advice,omitempty"`
	Attempts      int                     `json:"attempts"`
	FirstFailedAt time.Time               `json:"first_failed_at,omitzero"`
	NextAttemptAt time.Time               `json:"next_attempt_at,omitzero"`
	Trigger       provisioning.Trigger    `json:"trigger,omitempty"`
	UpdatedAt     time.Time               `json:"updated_at,omitzero"`
}

// viewAccount shows the row as it is at now. While somebody works on it, when it
// is due next is not known.
func viewAccount(a provisioning.Account, login string, now time.Time) accountView {
	v := accountView{
		User: a.User, Login: login, Target: a.Target, State: a.State, Working: a.Working(now), Desired: a.Desired,
		DesiredRev: a.DesiredRev, AppliedRev: a.AppliedRev, ExternalID: a.ExternalID, Held: a.Held, Skipped: a.Skipped(), Created: a.Created, Adopted: a.Adopted,
		Outcome: a.Outcome, Kind: a.Kind, Field: a.Field, Detail: a.Detail, Attempts: a.Attempts, Trigger: a.Trigger,
		FirstFailedAt: utc(a.FirstFailedAt), NextAttemptAt: utc(a.NextAttemptAt), UpdatedAt: utc(a.UpdatedAt),
	}
	if a.Kind != "" {
		v.Advice = provisioning.Advice(a.Kind)
	}
	if v.Working {
		v.NextAttemptAt = time.Time{}
	}
	return v
}

// next says when the account is tried next, for a person.
func (v accountView) next() string {
	if v.Working {
		return "working now"
	}
	if v.Held {
		return "held: needs target approve"
	}
	if v.Skipped {
		return "skipped: rules do not permit it"
	}
	return when(v.NextAttemptAt)
}

// owner names the user for a person.
func (v accountView) owner() string {
	if v.Login == "" {
		return string(v.User)
	}
	return v.Login
}

type attemptView struct {
	ID          provisioning.AttemptID `json:"id"`
	Rev         int64                  `json:"rev"`
	OperationID string                 `json:"operation_id"`
	Number      int                    `json:"number"`
	Trigger     provisioning.Trigger   `json:"trigger"`
	StartedAt   time.Time              `json:"started_at"`
	EndedAt     time.Time              `json:"ended_at,omitzero"`
	Outcome     provisioning.Outcome   `json:"outcome,omitempty"`
	Kind        sdk.Kind               `json:"kind,omitempty"`
	Detail      string                 `json:"detail,omitempty"`
	Changed     []string               `json:"changed,omitempty"`
	Calls       []callView             `json:"calls"`
}

type callView struct {
	Verb   string `json:"verb"`
	Key    string `json:"key,omitempty"`
	Took   string `json:"took"`
	Result string `json:"result"`
	Detail string `json:"detail,omitempty"`
}

func viewAttempt(a provisioning.Attempt) attemptView {
	return attemptView{
		ID: a.ID, Rev: a.Rev, OperationID: a.OperationID, Number: a.Number, Trigger: a.Trigger,
		StartedAt: utc(a.StartedAt), EndedAt: utc(a.EndedAt), Outcome: a.Outcome, Kind: a.Kind, Detail: a.Detail, Changed: a.Changed,
		Calls: list(a.Calls, viewCall),
	}
}

func viewCall(c provisioning.Call) callView {
	return callView{Verb: c.Verb, Key: c.Key, Took: c.Took.Round(time.Millisecond).String(), Result: c.Result, Detail: c.Detail}
}

type decisionView struct {
	ID        provisioning.DecisionID `json:"id"`
	Grant     provisioning.Grant      `json:"grant"`
	Verdict   provisioning.Verdict    `json:"verdict"`
	Failure   *provisioning.Failure   `json:"failure,omitempty"`
	DecidedAt time.Time               `json:"decided_at"`
	Findings  []provisioning.Finding  `json:"findings"`
}

func viewDecision(d provisioning.Decision) decisionView {
	v := decisionView{
		ID: d.ID, Grant: d.Request.Grant, Verdict: d.Verdict, DecidedAt: utc(d.DecidedAt),
		Findings: append([]provisioning.Finding{}, d.Findings...),
	}
	if d.Failure.Code != "" {
		v.Failure = &d.Failure
	}
	return v
}

// utc keeps the zero time zero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
