package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestPins(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		pins := store.Pins{DB: db}
		if _, err := pins.Pin(t.Context(), "scim2"); !errors.Is(err, plugins.ErrNotPinned) {
			t.Errorf("Pin before Put = %v, want ErrNotPinned", err)
		}
		want := plugins.Pin{Name: "scim2", Digest: "aa", PinnedAt: time.UnixMicro(1).UTC(),
			Description: sdk.Description{Name: "scim2", Attributes: []sdk.Attribute{{Name: "userName", Correlate: 2}}}}
		for _, digest := range []string{"aa", "bb"} {
			want.Digest = digest
			if err := pins.Put(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, err := pins.Pin(t.Context(), "scim2")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Pin (-want +got):\n%s%v", diff, err)
			}
		}
	}, store.Migrations())
}
