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

// Migrations returns the line "provisioning".
func Migrations() sqldb.Line {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // only for a malformed constant
	}
	return sqldb.Line{Name: "provisioning", FS: sub}
}

// Sealer encrypts what must not be readable in the database. The additional data
// ties a ciphertext to its row: Open with other data fails.
type Sealer interface {
	Seal(plaintext, aad []byte) ([]byte, error)
	Open(ciphertext, aad []byte) ([]byte, error)
}

// Stores are the stores of one database.
type Stores struct {
	Targets         *Targets
	Bindings        *Bindings
	Accounts        *Accounts
	Attempts        *Attempts
	Decisions       *Decisions
	Reconciliations *Reconciliations
	Health          *Health
	Sweeps          *Sweeps
	RuleSets        *RuleSets
}

// New returns the stores of db.
func New(db *sqldb.DB, sealer Sealer) Stores {
	return Stores{
		Targets:         NewTargets(db, sealer),
		Bindings:        NewBindings(db),
		Accounts:        NewAccounts(db),
		Attempts:        NewAttempts(db),
		Decisions:       NewDecisions(db),
		Reconciliations: NewReconciliations(db),
		Health:          NewHealth(db),
		Sweeps:          NewSweeps(db),
		RuleSets:        NewRuleSets(db),
	}
}

// scanner is a row or the current row of rows.
type scanner interface{ Scan(dest ...any) error }

// text encodes v for a TEXT column. The types stored here always encode.
func text(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// nameList is text for names, of which there may be none.
func nameList(names []string) (string, error) {
	if len(names) == 0 {
		return "[]", nil
	}
	return text(names)
}

func fromText(s string, v any) error {
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}
