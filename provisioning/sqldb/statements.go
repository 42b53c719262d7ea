package sqldb

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// maxStatements bounds what one connection keeps prepared: more than all stores
// have, so that only queries that are built anew each time push others out.
const maxStatements = 256

// preparing opens SQLite connections that prepare a query once and keep it: to
// parse the text costs as much as to run most of ours. The cache belongs to the
// connection and not to the pool, since whoever is inside a transaction holds
// the only writer and could not wait for another one. PostgreSQL's driver does
// the same by itself.
//
// A schema change needs no care: SQLite prepares a kept statement anew when it
// finds the schema changed.
type preparing struct{ driver.Connector }

// Connect opens a connection.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connection %T lacks a method", c), c.Close())
	}
	return &preparedConn{conn: inner, idle: newIdle(maxStatements)}, nil
}

// conn is what database/sql asks of the driver's connections.
type conn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is what is asked of the driver's statements.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedConn is a connection with the statements that nobody is using now. It
// is used by one goroutine at a time, as every driver connection is.
type preparedConn struct {
	conn
	idle *idle
}

// ExecContext runs a statement to its end.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	return result, c.giveBack(query, s, err)
}

// QueryContext runs a query; its statement is in use until the rows are closed.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, c.giveBack(query, s, err)
	}
	return &preparedRows{Rows: rows, giveBack: func(err error) error { return c.giveBack(query, s, err) }}, nil
}

func (c *preparedConn) statement(ctx context.Context, query string) (statement, error) {
	if s := c.idle.take(query); s != nil {
		return s, nil
	}
	fresh, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := fresh.(statement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("statement %T lacks a method", fresh), fresh.Close())
	}
	return s, nil
}

// giveBack keeps the statement for its next use, and returns err. One that failed
// is closed: what state it is in is not worth knowing.
func (c *preparedConn) giveBack(query string, s statement, err error) error {
	if err != nil {
		_ = s.Close() // err says more
		return err
	}
	if old := c.idle.put(query, s); old != nil {
		return old.Close()
	}
	return nil
}

// Close closes the statements and the connection.
func (c *preparedConn) Close() error {
	var errs []error
	for s := range c.idle.all() {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

// preparedRows gives its statement back when it is closed.
type preparedRows struct {
	driver.Rows
	giveBack func(err error) error
}

// Close closes the rows.
func (r *preparedRows) Close() error { return r.giveBack(r.Rows.Close()) }

// idle holds statements by their query, those unused longest first.
type idle struct {
	limit   int
	byQuery map[string]*list.Element
	oldest  *list.List
}

type idleStatement struct {
	query string
	statement
}

func newIdle(limit int) *idle {
	return &idle{limit: limit, byQuery: map[string]*list.Element{}, oldest: list.New()}
}

// take removes and returns the query's statement; nil if there is none.
func (i *idle) take(query string) statement {
	e, ok := i.byQuery[query]
	if !ok {
		return nil
	}
	delete(i.byQuery, query)
	s, _ := i.oldest.Remove(e).(idleStatement)
	return s.statement
}

// put adds a statement and returns the one that has to go, nil if none has.
func (i *idle) put(query string, s statement) statement {
	if _, twice := i.byQuery[query]; twice { // a query within its own rows
		return s
	}
	i.byQuery[query] = i.oldest.PushBack(idleStatement{query, s})
	if i.oldest.Len() <= i.limit {
		return nil
	}
	first, _ := i.oldest.Front().Value.(idleStatement)
	return i.take(first.query)
}

func (i *idle) all() func(yield func(statement) bool) {
	return func(yield func(statement) bool) {
		for e := i.oldest.Front(); e != nil; e = e.Next() {
			if s, ok := e.Value.(idleStatement); ok && !yield(s.statement) {
				return
			}
		}
	}
}
