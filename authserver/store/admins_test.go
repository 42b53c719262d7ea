package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func TestAdmins(t *testing.T) { sqldbtest.Each(t, admins, store.Migrations()) }

func admins(t *testing.T, db *sqldb.DB) {
	ctx, a, at := t.Context(), store.Admins{DB: db}, time.UnixMicro(1700000000000001).UTC()
	for _, u := range []user.User{{ID: "u1", Login: "Zoe", LoginNorm: "zoe"}, {ID: "u2", Login: "ada", LoginNorm: "ada"}} {
		u.Status, u.CreatedAt, u.UpdatedAt = user.StatusActive, at, at
		must(t, store.Users{DB: db}.Insert(ctx, u))
	}
	if _, err := a.Role(ctx, "u1"); !errors.Is(err, admin.ErrNone) {
		t.Errorf("Role before any was granted: %v", err)
	}
	must(t, a.Grant(ctx, "u1", admin.RoleAuditor, at))
	must(t, a.Grant(ctx, "u2", admin.RoleOperator, at))
	must(t, a.Grant(ctx, "u1", admin.RoleAdmin, at.Add(time.Second)))
	if role, err := a.Role(ctx, "u1"); err != nil || role != admin.RoleAdmin {
		t.Errorf("Role = %q, %v", role, err)
	}
	got, err := a.List(ctx)
	must(t, err)
	want := []admin.Administrator{
		{User: "u2", Login: "ada", Role: admin.RoleOperator, GrantedAt: at}, {User: "u1", Login: "Zoe", Role: admin.RoleAdmin, GrantedAt: at.Add(time.Second)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for range 2 { // none is no error
		must(t, a.Revoke(ctx, "u1"))
	}
	if _, err := a.Role(ctx, "u1"); !errors.Is(err, admin.ErrNone) {
		t.Errorf("Role after it was revoked: %v", err)
	}
}
