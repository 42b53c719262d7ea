package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Decisions stores what the gate decided and why.
type Decisions struct{ db *sqldb.DB }

// NewDecisions returns the decision store of db.
func NewDecisions(db *sqldb.DB) *Decisions { return &Decisions{db} }

const decisionColumns = `id, client_id, user_id, grant_type, sign_in, reference, earlier, exempt, verdict, code, text, findings, decided_at, facts`

// Add writes a decision down.
func (s *Decisions) Add(ctx context.Context, d provisioning.Decision) error {
	findings, err := text(d.Findings)
	if err != nil {
		return err
	}
	facts, err := text(d.Request.Facts)
	if err != nil {
		return err
	}
	r := d.Request
	_, err = s.db.Exec(ctx, `INSERT INTO decision (`+decisionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		d.ID, r.Client, r.User, r.Grant, r.SignIn, r.Reference, r.Earlier, r.Exempt,
		d.Verdict, d.Failure.Code, d.Failure.Text, findings, sqldb.Micros(d.DecidedAt), facts)
	if err != nil {
		return fmt.Errorf("add decision: %w", err)
	}
	return nil
}

// Get returns one decision, or [provisioning.ErrDecisionNotFound].
func (s *Decisions) Get(ctx context.Context, id provisioning.DecisionID) (provisioning.Decision, error) {
	d, err := scanDecision(s.db.QueryRow(ctx, "SELECT "+decisionColumns+" FROM decision WHERE id = $1", id))
	if sqldb.IsNoRows(err) {
		return provisioning.Decision{}, provisioning.ErrDecisionNotFound
	}
	if err != nil {
		return provisioning.Decision{}, fmt.Errorf("read decision: %w", err)
	}
	return d, nil
}

// ByReference returns the decisions with the support reference, oldest first.
func (s *Decisions) ByReference(ctx context.Context, reference string) ([]provisioning.Decision, error) {
	return s.list(ctx, "reference = $1 AND reference <> ''", reference)
}

// BySignIn returns the decisions of one sign-in, oldest first.
func (s *Decisions) BySignIn(ctx context.Context, signIn string) ([]provisioning.Decision, error) {
	return s.list(ctx, "sign_in = $1 AND sign_in <> ''", signIn)
}

// firstOfSignIns is that a decision began a sign-in of a user to an application that is
// held by targets. The index of decisions by sign-in serves it.
const firstOfSignIns = `grant_type = 'authorize' AND user_id <> '' AND NOT exempt AND NOT EXISTS (SELECT 1 FROM decision e
	WHERE e.sign_in <> '' AND e.sign_in = decision.sign_in AND e.id < decision.id AND e.grant_type = 'authorize')`

// SignIns implements provisioning.SignInReader: the first decision of each sign-in,
// the latest sign-in first.
func (s *Decisions) SignIns(ctx context.Context, f provisioning.SignInFilter) ([]provisioning.Decision, error) {
	where, args := firstOfSignIns, []any{}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(" AND %s $%d", condition, len(args))
	}
	if f.Client != "" {
		add("client_id =", f.Client)
	}
	if !f.Since.IsZero() {
		add("decided_at >=", sqldb.Micros(f.Since))
	}
	if f.Before != "" {
		add("id <", f.Before)
	}
	args = append(args, f.Limit)
	query := fmt.Sprintf("SELECT %s FROM decision WHERE %s ORDER BY id DESC LIMIT $%d", decisionColumns, where, len(args))
	return s.query(ctx, query, args...)
}

func (s *Decisions) list(ctx context.Context, where, value string) ([]provisioning.Decision, error) {
	return s.query(ctx, "SELECT "+decisionColumns+" FROM decision WHERE "+where+" ORDER BY id", value)
}

func (s *Decisions) query(ctx context.Context, query string, args ...any) ([]provisioning.Decision, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list decisions: %w", err)
	}
	out, err := collect(rows, scanDecision)
	if err != nil {
		return nil, fmt.Errorf("list decisions: %w", err)
	}
	return out, nil
}

func scanDecision(row scanner) (provisioning.Decision, error) {
	var d provisioning.Decision
	var findings, facts string
	var decided int64
	r := &d.Request
	err := row.Scan(&d.ID, &r.Client, &r.User, &r.Grant, &r.SignIn, &r.Reference, &r.Earlier, &r.Exempt,
		&d.Verdict, &d.Failure.Code, &d.Failure.Text, &findings, &decided, &facts)
	if err != nil {
		return d, err
	}
	d.DecidedAt = sqldb.Time(decided)
	return d, errors.Join(fromText(findings, &d.Findings), fromText(facts, &r.Facts))
}
