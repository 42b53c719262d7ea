package store

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning"
)

// evidence looks for what rests on a decision among the client's grants to the
// user: a code or token is found through its grant, which has an index.
const evidence = `SELECT EXISTS (SELECT 1 FROM oauth_grant g WHERE g.user_id = $1 AND g.client_id = $2 AND (g.decision_id = $3
	OR EXISTS (SELECT 1 FROM oauth_code t WHERE t.grant_id = g.id AND t.decision_id = $3)
	OR EXISTS (SELECT 1 FROM oauth_access t WHERE t.grant_id = g.id AND t.decision_id = $3)
	OR EXISTS (SELECT 1 FROM oauth_refresh t WHERE t.grant_id = g.id AND t.decision_id = $3)))`

// LiveDecisions returns those of the decisions that a grant, code or token still
// rests on. What has expired counts until it is deleted.
func (s *OAuth) LiveDecisions(ctx context.Context, all []provisioning.DecisionRef) (map[provisioning.DecisionID]bool, error) {
	live := map[provisioning.DecisionID]bool{}
	for _, d := range all {
		var rests bool
		if err := s.DB.QueryRow(ctx, evidence, string(d.User), string(d.Client), string(d.ID)).Scan(&rests); err != nil {
			return nil, fmt.Errorf("read what rests on a decision: %w", err)
		}
		if rests {
			live[d.ID] = true
		}
	}
	return live, nil
}
