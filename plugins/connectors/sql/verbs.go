package sql

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/sdk"
)

// Lookup returns the accounts that have the key's value.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if req.Key != keyUserID && req.Key != keyLogin {
		return nil, sdk.Invalid(req.Key, "is not a key")
	}
	var found []sdk.Account
	err := t.read(ctx, func(tx pgx.Tx) error {
		var err error
		found, err = t.query(ctx, tx, t.lookup, map[string]any{req.Key: req.Value})
		return t.db.Failure(err, req.Value)
	})
	return found, err
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	var a sdk.Account
	err := t.read(ctx, func(tx pgx.Tx) error {
		var err error
		a, err = t.one(ctx, tx, req.ID)
		return err
	})
	return a, err
}

// Create makes a new account.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	values, err := t.create.assign(req.Attributes)
	if err != nil {
		return sdk.Account{}, err
	}
	values[nameActive] = req.Active
	var a sdk.Account
	err = t.write(ctx, func(tx pgx.Tx) error {
		made, err := t.query(ctx, tx, t.create, values)
		if err != nil {
			return t.blame(err, valuesOf(req.Attributes))
		}
		if len(made) != 1 {
			return sdk.Invalid(t.create.field, "must return one row, with the new account's id")
		}
		a, err = t.one(ctx, tx, made[0].ID)
		return err
	})
	return a, err
}

// Update changes some attributes: what is not named keeps the value that is read
// in the same transaction.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	named := sdk.Attributes{}
	for _, name := range req.Clear {
		named[name] = nil
	}
	for name, value := range req.Set {
		named[name] = value
	}
	changes, err := t.update.assign(named)
	if err != nil {
		return sdk.Account{}, err
	}
	return t.change(ctx, req.ID, t.update, valuesOf(req.Set), func(now sdk.Account) (map[string]any, error) {
		if req.Version != "" && now.Version != "" && req.Version != now.Version {
			return nil, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "somebody else has changed the row meanwhile"}
		}
		values := map[string]any{}
		for name, value := range now.Attributes {
			values[name] = value
		}
		for name, value := range changes {
			values[name] = value
		}
		return values, nil
	})
}

// SetActive suspends an account or brings it back.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	if err := t.setActive.missing(); err != nil {
		return sdk.Account{}, err
	}
	return t.change(ctx, req.ID, t.setActive, nil, func(sdk.Account) (map[string]any, error) {
		return map[string]any{nameActive: req.Active}, nil
	})
}

// change reads an account, runs a statement that changes it, and reads it again.
func (t *Target) change(ctx context.Context, id string, s statement, secret []string, values func(sdk.Account) (map[string]any, error)) (sdk.Account, error) {
	var a sdk.Account
	err := t.write(ctx, func(tx pgx.Tx) error {
		now, err := t.one(ctx, tx, id)
		if err != nil {
			return err
		}
		bound, err := values(now)
		if err != nil {
			return err
		}
		bound[nameID] = id
		n, err := t.exec(ctx, tx, s, bound)
		if err != nil {
			return t.blame(err, secret)
		}
		if n != 1 {
			return changedOther(s, n)
		}
		a, err = t.one(ctx, tx, id)
		return err
	})
	return a, err
}

// Delete removes an account; one that is not there is a success.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	if err := t.remove.missing(); err != nil {
		return err
	}
	err := t.write(ctx, func(tx pgx.Tx) error {
		if _, err := t.one(ctx, tx, req.ID); err != nil {
			return err
		}
		n, err := t.exec(ctx, tx, t.remove, map[string]any{nameID: req.ID})
		if err == nil && n != 1 {
			return changedOther(t.remove, n)
		}
		return t.blame(err, nil)
	})
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// List returns every account.
func (t *Target) List(ctx context.Context, _ sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		if err := t.list.missing(); err != nil {
			yield(sdk.Account{}, err)
			return
		}
		more := true
		err := t.read(ctx, func(tx pgx.Tx) error {
			return t.each(ctx, tx, t.list, nil, func(a sdk.Account) bool {
				more = yield(a, nil)
				return more
			})
		})
		if err != nil && more {
			yield(sdk.Account{}, err)
		}
	}
}
