package sqldb

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Line is one owner's migrations: files NNNNN_name.sql at the root of FS, numbered
// within the line. In their text {{BLOB}} stands for the dialect's byte string
// type, {{WITHOUT ROWID}} for that clause, or nothing, and {{BINARY}} for the
// collation that compares bytes: ids must sort and compare alike on both.
type Line struct {
	Name string // names the version table
	FS   fs.FS
}

// Status tells how far a line is.
type Status struct {
	Line    string
	Current int64
	Latest  int64
}

// Migrate brings every line to its latest version, in order. Several instances
// may start at once.
func (db *DB) Migrate(ctx context.Context, lines ...Line) error {
	for _, line := range lines {
		p, err := db.provider(line)
		if err != nil {
			return err
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate %s: %w", line.Name, err)
		}
	}
	return nil
}

// MigrationStatus reports each line's current and latest version.
func (db *DB) MigrationStatus(ctx context.Context, lines ...Line) ([]Status, error) {
	out := make([]Status, 0, len(lines))
	for _, line := range lines {
		p, err := db.provider(line)
		if err != nil {
			return nil, err
		}
		current, latest, err := p.GetVersions(ctx)
		if err != nil {
			return nil, fmt.Errorf("read version of %s: %w", line.Name, err)
		}
		out = append(out, Status{Line: line.Name, Current: current, Latest: latest})
	}
	return out, nil
}

func (db *DB) provider(line Line) (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	opts := []goose.ProviderOption{goose.WithTableName("migration_" + line.Name), goose.WithDisableGlobalRegistry(true)}
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("migrate %s: %w", line.Name, err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db.write, dialectFS{line.FS, db.dialect}, opts...)
	if err != nil {
		return nil, fmt.Errorf("migrate %s: %w", line.Name, err)
	}
	return p, nil
}

// dialectFS is a file system whose files have the placeholders filled in.
type dialectFS struct {
	fs.FS
	dialect Dialect
}

// ReadDir lists the underlying directory.
func (d dialectFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.FS, name) }

// Open opens a file for reading with its placeholders filled in.
func (d dialectFS) Open(name string) (fs.File, error) {
	f, err := d.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	defer func() { _ = f.Close() }()
	text, err := fs.ReadFile(d.FS, name)
	if err != nil {
		return nil, err
	}
	return &dialectFile{Reader: bytes.NewReader(d.fill(text)), info: info}, nil
}

func (d dialectFS) fill(text []byte) []byte {
	blob, rowid, binary := "BLOB", "WITHOUT ROWID", "COLLATE BINARY"
	if d.dialect == Postgres {
		blob, rowid, binary = "BYTEA", "", `COLLATE "C"`
	}
	text = bytes.ReplaceAll(text, []byte("{{BLOB}}"), []byte(blob))
	text = bytes.ReplaceAll(text, []byte("{{BINARY}}"), []byte(binary))
	return bytes.ReplaceAll(text, []byte("{{WITHOUT ROWID}}"), []byte(rowid))
}

type dialectFile struct {
	*bytes.Reader
	info fs.FileInfo
}

// Stat returns the template's file info; only its name and mode are of use.
func (f *dialectFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing.
func (f *dialectFile) Close() error { return nil }
