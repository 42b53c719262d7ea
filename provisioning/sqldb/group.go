package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// group lets transactions of a SQLite database that wait for the one writer share
// a commit, and so one sync of the disk. They run one after the other, each
// behind a savepoint of its own, so each sees what those before it did, and one
// that fails takes nothing of the others with it. None ends before the commit.
//
// PostgreSQL does the same by itself for transactions that commit at once.
type group struct {
	write *sql.DB
	turn  chan struct{} // holds a token while somebody leads

	mu      sync.Mutex
	waiting []*member
}

// maxGroup bounds how many share a commit: the first of them waits for the last.
const maxGroup = 32

func newGroup(write *sql.DB) *group { return &group{write: write, turn: make(chan struct{}, 1)} }

// member is one transaction on its way. Whoever leads runs it; its own goroutine
// reads the result once done is closed.
type member struct {
	ctx      context.Context // fn's, which ends with it
	fn       func(ctx context.Context, t *tx) error
	tx       *tx
	err      error
	panicked any
	done     chan struct{}
}

// errAlone means that the group's transaction was lost through no fault of the
// member's: it is run again.
var errAlone = errors.New("the shared transaction was lost")

// run runs fn in a transaction that may be shared, and returns it committed.
func (g *group) run(ctx context.Context, fn func(ctx context.Context, t *tx) error) (*tx, error) {
	m := &member{ctx: ctx, fn: fn, done: make(chan struct{})}
	g.enqueue(m)
	for {
		select {
		case <-m.done:
			return m.result()
		default:
		}
		select {
		case <-m.done:
		case g.turn <- struct{}{}:
			g.lead()
		case <-ctx.Done():
			if g.withdraw(m) {
				return nil, ctx.Err()
			}
			<-m.done // it is being run: what becomes of it is not known before
		}
	}
}

func (m *member) result() (*tx, error) {
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.tx, m.err
}

func (g *group) enqueue(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, m)
}

// withdraw takes m out of those that wait; false if somebody runs it already.
func (g *group) withdraw(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

func (g *group) take() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxGroup)
	batch := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return batch
}

// lead runs those who wait, and gives the turn back. When their transaction is
// lost, each is run alone.
func (g *group) lead() {
	defer func() { <-g.turn }()
	batch := g.take()
	ended := false
	defer func() {
		if !ended { // a test's FailNow ended this goroutine in the middle
			g.abandon(batch)
		}
	}()
	if len(batch) < 2 || !g.together(batch) {
		for _, m := range batch {
			g.alone(m)
		}
	}
	ended = true
}

// abandon tells those who were not told yet.
func (g *group) abandon(batch []*member) {
	for _, m := range batch {
		select {
		case <-m.done:
		default:
			m.err = errAlone
			close(m.done)
		}
	}
}

// alone runs a member in a transaction of its own.
func (g *group) alone(m *member) {
	defer close(m.done)
	m.err = g.inTx(m.ctx, func(begun *sql.Tx) error { return m.call(begun) })
}

// together runs the members in one transaction. It reports false, and has told
// nobody anything, when that was lost.
func (g *group) together(batch []*member) bool {
	// One that gives up must not end the transaction of the others.
	err := g.inTx(context.WithoutCancel(batch[0].ctx), func(begun *sql.Tx) error {
		for _, m := range batch {
			if err := g.behindSavepoint(begun, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false
	}
	for _, m := range batch {
		close(m.done)
	}
	return true
}

// behindSavepoint runs a member so that its failure undoes what it did alone. The
// error is about the shared transaction.
func (g *group) behindSavepoint(begun *sql.Tx, m *member) error {
	ctx := context.WithoutCancel(m.ctx)
	if _, err := begun.ExecContext(ctx, "SAVEPOINT member"); err != nil {
		return errors.Join(errAlone, err)
	}
	if m.err = m.call(begun); m.err != nil || m.panicked != nil {
		if _, err := begun.ExecContext(ctx, "ROLLBACK TO member"); err != nil {
			return errors.Join(errAlone, err)
		}
	}
	if _, err := begun.ExecContext(ctx, "RELEASE member"); err != nil {
		return errors.Join(errAlone, err)
	}
	return nil
}

// call runs the member's function in the transaction. A panic is the member's,
// not that of whoever leads.
func (m *member) call(begun *sql.Tx) (err error) {
	m.tx, m.panicked = &tx{sql: begun}, nil
	defer func() {
		if m.panicked = recover(); m.panicked != nil {
			err = errAlone
		}
	}()
	if err := m.ctx.Err(); err != nil {
		return err
	}
	return m.fn(m.ctx, m.tx)
}

func (g *group) inTx(ctx context.Context, do func(begun *sql.Tx) error) error {
	begun, err := g.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// The writer's only connection must not stay inside a transaction. After a
	// commit the rollback does nothing.
	defer func() { _ = begun.Rollback() }()
	if err := do(begun); err != nil {
		return err
	}
	if err := begun.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
