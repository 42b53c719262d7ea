package store

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the server's line of migrations.
func Migrations() sqldb.Line {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is constant and valid
	}
	return sqldb.Line{Name: "authserver", FS: files}
}

// jsonOf returns what is stored of a list, map or struct.
func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// column is a JSON column being read into v.
type column struct {
	text string
	into any
}

func decode(columns ...*column) error {
	for _, c := range columns {
		if err := json.Unmarshal([]byte(c.text), c.into); err != nil {
			return fmt.Errorf("decode %T: %w", c.into, err)
		}
	}
	return nil
}

// row is one row of a result.
type row interface{ Scan(dest ...any) error }
