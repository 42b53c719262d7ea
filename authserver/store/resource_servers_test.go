package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func TestResourceServers(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := store.ResourceServers{DB: db}
		full := resourceserver.Server{Identifier: "https://b.example/API", Settings: resourceserver.Settings{
			Scopes: []string{"read"}, Applications: []provisioning.ClientID{"app"}, Introspection: []provisioning.ClientID{"api"},
			TokenFormat: "jwt", TokenAlg: "ES256", TokenLifetime: "15m", Disabled: true,
		}}
		if _, err := s.Get(t.Context(), full.Identifier); !errors.Is(err, resourceserver.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
		must(t, s.Put(t.Context(), resourceserver.Server{Identifier: full.Identifier}))
		must(t, s.Put(t.Context(), full))
		other := resourceserver.Server{Identifier: "https://a.example"}
		must(t, s.Put(t.Context(), other))
		got, err := s.Get(t.Context(), full.Identifier)
		if diff := cmp.Diff(full, got); diff != "" || err != nil {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		if _, err := s.Get(t.Context(), "https://b.example/api"); !errors.Is(err, resourceserver.ErrNotFound) {
			t.Errorf("another case: %v, want ErrNotFound", err)
		}
		all, err := s.List(t.Context())
		if diff := cmp.Diff([]resourceserver.Server{other, full}, all); diff != "" || err != nil {
			t.Errorf("List (-want +got):\n%s(%v)", diff, err)
		}
		must(t, s.ForgetApplication(t.Context(), "app"))
		must(t, s.ForgetApplication(t.Context(), "unknown"))
		if got, err := s.Get(t.Context(), full.Identifier); err != nil || len(got.Applications) != 0 || len(got.Introspection) != 1 {
			t.Errorf("after forgetting: %+v, %v", got, err)
		}
		must(t, s.ForgetApplication(t.Context(), "api"))
		if got, err := s.Get(t.Context(), full.Identifier); err != nil || len(got.Introspection) != 0 || len(got.Scopes) != 1 {
			t.Errorf("after forgetting both: %+v, %v", got, err)
		}
	}, store.Migrations())
}
