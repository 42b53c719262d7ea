package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// ConnectorCrashes keeps how connector processes crashed.
type ConnectorCrashes struct{ DB *sqldb.DB }

var _ plugins.Crashes = ConnectorCrashes{}

// ConnectorCrash is a crash and whose it was.
type ConnectorCrash struct {
	plugins.Crash
	Name, Digest string
}

// keptCrashes is how many crashes of a name are kept.
const keptCrashes = 5

// Crashed implements plugins.Crashes: it keeps the last five of each connector.
func (s ConnectorCrashes) Crashed(ctx context.Context, name, digest string, c plugins.Crash) error {
	output, err := jsonOf(c.Output)
	if err != nil {
		return err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `INSERT INTO connector_crash (name, at, digest, ending, output) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, name, sqldb.Micros(c.At), digest, c.Exit, output); err != nil {
			return err
		}
		_, err := s.DB.Exec(ctx, `DELETE FROM connector_crash WHERE name = $1 AND at < (SELECT MIN(newest.at) FROM
			(SELECT at FROM connector_crash WHERE name = $1 ORDER BY at DESC LIMIT $2) AS newest)`, name, keptCrashes)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep crash of %s: %w", name, err)
	}
	return nil
}

// List returns the crashes of a connector that are kept, the latest first.
func (s ConnectorCrashes) List(ctx context.Context, name string) ([]ConnectorCrash, error) {
	rows, err := s.DB.Query(ctx, "SELECT at, digest, ending, output FROM connector_crash WHERE name = $1 ORDER BY at DESC", name)
	if err != nil {
		return nil, fmt.Errorf("list crashes of %s: %w", name, err)
	}
	defer rows.Close()
	var out []ConnectorCrash
	for rows.Next() {
		c := ConnectorCrash{Name: name}
		var at int64
		var output string
		err := rows.Scan(&at, &c.Digest, &c.Exit, &output)
		if err == nil {
			err = decode(&column{output, &c.Output})
		}
		if err != nil {
			return nil, fmt.Errorf("list crashes of %s: %w", name, err)
		}
		c.At = sqldb.Time(at)
		out = append(out, c)
	}
	return out, rows.Err()
}

// ConnectorReports keeps what each running server says of its connectors, for
// commands, which see the database alone.
type ConnectorReports struct{ DB *sqldb.DB }

// ConnectorReport is what one server said.
type ConnectorReport struct {
	Instance string
	At       time.Time
	Stats    []plugins.Stats
}

// Put stores a server's report in place of its last one.
func (s ConnectorReports) Put(ctx context.Context, r ConnectorReport) error {
	text, err := jsonOf(r.Stats)
	if err != nil {
		return err
	}
	if _, err := s.DB.Exec(ctx, `INSERT INTO connector_report (instance, at, report) VALUES ($1, $2, $3)
		ON CONFLICT (instance) DO UPDATE SET at = excluded.at, report = excluded.report`, r.Instance, sqldb.Micros(r.At), text); err != nil {
		return fmt.Errorf("store connector report: %w", err)
	}
	return nil
}

// Remove forgets a server that ends.
func (s ConnectorReports) Remove(ctx context.Context, instance string) error {
	if _, err := s.DB.Exec(ctx, "DELETE FROM connector_report WHERE instance = $1", instance); err != nil {
		return fmt.Errorf("remove connector report: %w", err)
	}
	return nil
}

// List returns the reports made since a time, and removes older ones: their
// servers were killed.
func (s ConnectorReports) List(ctx context.Context, since time.Time) ([]ConnectorReport, error) {
	if _, err := s.DB.Exec(ctx, "DELETE FROM connector_report WHERE at < $1", sqldb.Micros(since)); err != nil {
		return nil, fmt.Errorf("list connector reports: %w", err)
	}
	rows, err := s.DB.Query(ctx, "SELECT instance, at, report FROM connector_report ORDER BY instance")
	if err != nil {
		return nil, fmt.Errorf("list connector reports: %w", err)
	}
	defer rows.Close()
	var out []ConnectorReport
	for rows.Next() {
		var r ConnectorReport
		var at int64
		var text string
		err := rows.Scan(&r.Instance, &at, &text)
		if err == nil {
			err = decode(&column{text, &r.Stats})
		}
		if err != nil {
			return nil, fmt.Errorf("list connector reports: %w", err)
		}
		r.At = sqldb.Time(at)
		out = append(out, r)
	}
	return out, rows.Err()
}
