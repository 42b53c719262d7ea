package roles

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/sdk"
)

// Lookup returns the accounts that have the key's value.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	condition := map[string]string{
		keyLogin:  "rolname = $1",
		keyUserID: `split_part(pg_catalog.shobj_description(oid, 'pg_authid'), E'\n', 1) = '` + ownerPrefix + `' || $1::text`,
	}[req.Key]
	if condition == "" {
		return nil, sdk.Invalid(req.Key, "is not a key")
	}
	var accounts []sdk.Account
	err := t.db.Read(ctx, func(tx pgx.Tx) error {
		found, err := t.find(ctx, tx, condition, req.Value)
		for _, r := range found {
			accounts = append(accounts, r.account())
		}
		return t.failure(err, req.Value)
	})
	return accounts, err
}

// Get reads an account by its oid.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	var r role
	err := t.db.Read(ctx, func(tx pgx.Tx) error {
		var err error
		r, err = t.byID(ctx, tx, req.ID)
		return err
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return r.account(), nil
}

// Create makes a role without a password.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	r, err := role{}.with(req.Attributes, nil)
	if err != nil {
		return sdk.Account{}, err
	}
	err = t.db.Write(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "create role "+quote(r.name)+" "+login(req.Active))
		if err == nil {
			err = comment(ctx, tx, r)
		}
		if err == nil {
			r.active = req.Active
			err = tx.QueryRow(ctx, "select oid::text from pg_catalog.pg_roles where rolname = $1", r.name).Scan(&r.oid)
		}
		return t.failure(err, r.name, r.owner, r.about)
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return r.account(), nil
}

// Update renames a role, or changes its comment.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	return t.change(ctx, req.ID, func(tx pgx.Tx, now role) (role, error) {
		r, err := now.with(req.Set, req.Clear)
		if err != nil {
			return r, err
		}
		if r.name != now.name {
			_, err = tx.Exec(ctx, "alter role "+quote(now.name)+" rename to "+quote(r.name))
		}
		if err == nil && r.comment() != now.comment() {
			err = comment(ctx, tx, r)
		}
		return r, t.failure(err, r.name, r.owner, r.about)
	})
}

// SetActive lets a role log in, or not. Sessions that are open stay so.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return t.change(ctx, req.ID, func(tx pgx.Tx, now role) (role, error) {
		if now.active == req.Active {
			return now, nil
		}
		if now.owner == "" && !req.Active { // it could not be found again
			return now, sdk.Forbidden("the role is nobody's: it is not suspended before it has an owner")
		}
		_, err := tx.Exec(ctx, "alter role "+quote(now.name)+" "+login(req.Active))
		now.active = req.Active
		return now, t.failure(err, now.name)
	})
}

func (t *Target) change(ctx context.Context, id string, do func(pgx.Tx, role) (role, error)) (sdk.Account, error) {
	var r role
	err := t.db.Write(ctx, func(tx pgx.Tx) error {
		now, err := t.byID(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err = do(tx, now)
		return err
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return r.account(), nil
}

// Delete drops a role; one that is not there is a success.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	err := t.db.Write(ctx, func(tx pgx.Tx) error {
		r, err := t.byID(ctx, tx, req.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "drop role "+quote(r.name))
		return t.failure(err, r.name)
	})
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// List returns every account.
func (t *Target) List(ctx context.Context, _ sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		var found []role
		err := t.db.Read(ctx, func(tx pgx.Tx) error {
			var err error
			found, err = t.find(ctx, tx, "true")
			return t.failure(err)
		})
		for _, r := range found {
			if !yield(r.account(), nil) {
				return
			}
		}
		if err != nil {
			yield(sdk.Account{}, err)
		}
	}
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func login(active bool) string {
	if active {
		return "login"
	}
	return "nologin"
}

// comment sets or removes a role's comment. The statement takes no parameters, so
// the server itself quotes the text.
func comment(ctx context.Context, tx pgx.Tx, r role) error {
	var text *string
	if c := r.comment(); c != "" {
		text = &c
	}
	statement := ""
	if err := tx.QueryRow(ctx, "select format('comment on role %I is %L', $1::text, $2::text)", r.name, text).Scan(&statement); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, statement)
	return err
}
