package provisioning

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// ReconcileLedger is what a Reconciler reads, and how it makes work due.
type ReconcileLedger interface {
	// Get returns one account, or [ErrAccountNotFound].
	Get(ctx context.Context, user UserID, target TargetName) (Account, error)
	// Matching returns the target's accounts that are linked to one of the external
	// ids or belong to one of the users; at most [MatchLimit] of each may be asked.
	Matching(ctx context.Context, target TargetName, externalIDs []string, users []UserID) ([]Account, error)
	// Linked returns the target's linked accounts after a user, in the order of
	// users, at most limit.
	Linked(ctx context.Context, target TargetName, after UserID, limit int) ([]Account, error)
	// Retry is as for [GateLedger].
	Retry(ctx context.Context, user UserID, targets []TargetName, now time.Time) (int, error)
}

// MatchLimit is how many accounts are compared at a time.
const MatchLimit = 100

// ReconcilerOptions are the parts of a Reconciler. All are required.
type ReconcilerOptions struct {
	Ledger  ReconcileLedger
	Engine  *Engine // its targets, users and mapping say what an account should be
	Targets TargetReader
	Now     func() time.Time
}

// Reconciler compares the ledger with what targets have. It writes to no target
// and deletes nothing: repairing makes accounts due, and the engine does the rest
// as it does for any other reason.
type Reconciler struct{ ReconcilerOptions }

// NewReconciler returns a reconciler.
func NewReconciler(o ReconcilerOptions) *Reconciler { return &Reconciler{o} }

// Run lists the target's accounts and returns how they differ from the ledger;
// with repair, it makes those accounts due that the engine can mend. What the
// target or its connector does wrong is in the report; the error is about our own
// database, or [ErrTargetNotFound].
func (c *Reconciler) Run(ctx context.Context, target TargetName, repair bool) (DriftReport, error) {
	t, err := c.Targets.Get(ctx, target)
	if err != nil {
		return DriftReport{}, fmt.Errorf("reconcile %s: %w", target, err)
	}
	s := &survey{
		Reconciler: c, target: t, repair: repair, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{},
		report: DriftReport{Target: target, StartedAt: c.Now(), Complete: true, Counts: map[DriftKind]int{}},
	}
	err = s.run(ctx)
	s.report.EndedAt = c.Now()
	if err != nil {
		return s.report, fmt.Errorf("reconcile %s: %w", target, err)
	}
	return s.report, nil
}

// survey is one comparison of a target.
type survey struct {
	*Reconciler
	target Target
	conn   Conn
	repair bool
	report DriftReport
	// seen holds a hash of every id the target listed: of a million ids it takes
	// tens of megabytes less. Two that meet would hide a missing account.
	seed maphash.Seed
	seen map[uint64]struct{}
}

func (s *survey) run(ctx context.Context) error {
	var err error
	if s.conn, err = s.Engine.Targets.Connect(ctx, s.target); err != nil {
		s.incomplete(sdk.AsError(err))
		return nil
	}
	if s.conn.Lister == nil {
		s.incomplete(&sdk.Error{Kind: sdk.KindUnsupported, Message: "the connector cannot list accounts"})
		return nil
	}
	if err := s.list(ctx); err != nil || !s.report.Complete {
		return err
	}
	return s.missing(ctx)
}

// incomplete notes why the report does not cover everything. The first reason
// stays.
func (s *survey) incomplete(e *sdk.Error) {
	if s.report.Complete {
		s.report.Complete, s.report.Incomplete = false, clip(fmt.Sprintf("%s: %s", e.Kind, e.Message))
	}
}

// list compares what the target lists, a batch at a time.
func (s *survey) list(ctx context.Context) error {
	batch := make([]sdk.Account, 0, MatchLimit)
	for a, err := range s.conn.Lister.List(ctx, sdk.ListRequest{PageSize: MatchLimit}) {
		if err == nil && a.ID == "" {
			err = defect("the list has an account without an id")
		}
		if err != nil {
			s.incomplete(sdk.AsError(err))
			break
		}
		if s.see(a.ID) {
			continue // listed twice, as happens when pages shift
		}
		s.report.Listed++
		if batch = append(batch, a); len(batch) == MatchLimit {
			if err := s.compare(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return s.compare(ctx, batch)
}

// see notes an id and reports whether it was seen before.
func (s *survey) see(id string) bool {
	key := s.hash(id)
	_, before := s.seen[key]
	s.seen[key] = struct{}{}
	return before
}

func (s *survey) hash(id string) uint64 { return maphash.String(s.seed, id) }

func (s *survey) compare(ctx context.Context, batch []sdk.Account) error {
	if len(batch) == 0 {
		return nil
	}
	var ids []string
	var users []UserID
	for _, found := range batch {
		ids = append(ids, found.ID)
		if owner := s.claimant(found); owner != "" {
			users = append(users, owner)
		}
	}
	rows, err := s.Ledger.Matching(ctx, s.target.Name, ids, users)
	if err != nil {
		return err
	}
	byID, byUser := map[string]Account{}, map[UserID]Account{}
	for _, row := range rows {
		byUser[row.User] = row
		if row.ExternalID != "" {
			byID[row.ExternalID] = row
		}
	}
	for _, found := range batch {
		if row, linked := byID[found.ID]; linked {
			err = s.linked(ctx, row, found)
		} else {
			err = s.unlinked(ctx, byUser, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// claimant is the user the owner attribute names, "" if none.
func (s *survey) claimant(found sdk.Account) UserID {
	r := run{conn: s.conn}
	a, ok := r.owner()
	if !ok {
		return ""
	}
	return UserID(found.Attributes.String(a.Name))
}

// linked compares an account with its row. What differs is looked at once more
// before it counts: the list may be older than the row.
func (s *survey) linked(ctx context.Context, row Account, found sdk.Account) error {
	drifts, err := s.differences(ctx, row, found)
	if err == nil && len(drifts) > 0 && s.conn.Getter != nil {
		drifts, err = s.secondLook(ctx, row, drifts)
	}
	for _, d := range drifts {
		if err == nil {
			err = s.found(ctx, d, true)
		}
	}
	return err
}

// secondLook reads both sides anew. Where the target cannot be read now, the
// list has to do.
func (s *survey) secondLook(ctx context.Context, row Account, drifts []Drift) ([]Drift, error) {
	found, err := s.get(ctx, row.ExternalID)
	if err != nil {
		return drifts, nil
	}
	again, err := s.Ledger.Get(ctx, row.User, row.Target)
	if errors.Is(err, ErrAccountNotFound) || err == nil && again.ExternalID != row.ExternalID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.differences(ctx, again, found)
}

// readTimeout bounds reading one account: of thousands, one must not hold up the
// others.
const readTimeout = 30 * time.Second

// get reads an account by its id.
func (s *survey) get(ctx context.Context, id string) (sdk.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	found, err := s.conn.Getter.Get(ctx, sdk.GetRequest{ID: id})
	if err == nil && found.ID != id {
		err = defect("get answered with another account")
	}
	return found, err
}

// differences says how an account is not as desired. One with work to do is not
// compared: it is about to change. Nor is one that rules keep the engine from: it is
// as it was left.
func (s *survey) differences(ctx context.Context, row Account, found sdk.Account) ([]Drift, error) {
	if !row.InSync() || row.Skipped() {
		s.report.Skipped++
		return nil, nil
	}
	r := &run{Engine: s.Engine, account: row, desired: row.Desired, target: s.target, conn: s.conn}
	profile, err := r.profile(ctx)
	if err != nil {
		return nil, err
	}
	active := found.Active != nil && *found.Active
	unsaid := found.Active == nil
	switch {
	case r.desired == DesiredAbsent && (row.State != StateSuspended || active):
		return []Drift{s.of(row, DriftOrphaned)}, nil
	case r.desired == DesiredSuspended && active:
		return []Drift{s.of(row, DriftActive)}, nil
	case r.desired != DesiredPresent:
		s.report.InStep++
		return nil, nil
	}
	return s.present(r, profile, found, !active && !unsaid)
}

func (s *survey) present(r *run, p Profile, found sdk.Account, inactive bool) ([]Drift, error) {
	if err := r.mapped(p); err != nil { // the engine will say what is wrong
		s.report.Skipped++
		return nil, nil
	}
	r.withoutUnsent()
	var out []Drift
	if set, clear := r.diff(found); len(set)+len(clear) > 0 {
		d := s.of(r.account, DriftChanged)
		d.Attributes = names(set, clear)
		out = append(out, d)
	}
	if inactive {
		out = append(out, s.of(r.account, DriftInactive))
	}
	if len(out) == 0 {
		s.report.InStep++
	}
	return out, nil
}

// unlinked judges an account no row is linked to. It is ours only if its owner
// attribute names a user we know.
func (s *survey) unlinked(ctx context.Context, rows map[UserID]Account, found sdk.Account) error {
	user := s.claimant(found)
	if user == "" {
		s.report.Unknown++
		return nil
	}
	_, err := s.Engine.Users.Profile(ctx, user)
	gone := errors.Is(err, ErrUserNotFound)
	if err != nil && !gone {
		return err
	}
	row, known := rows[user]
	d := Drift{Kind: DriftExtra, User: user, ExternalID: found.ID}
	switch {
	case !known && gone, known && row.Outcome == OutcomeUnlinked && row.Desired == DesiredAbsent:
		s.report.Unknown++ // never ours, or let go
		return nil
	case known && row.State == StatePending:
		s.report.Skipped++ // perhaps just being made
		return nil
	case gone, known && row.Desired == DesiredAbsent:
		d.Kind = DriftOrphaned
	}
	return s.found(ctx, d, known && row.ExternalID == "" && row.Desired == DesiredPresent && !row.Skipped())
}
