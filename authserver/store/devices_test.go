package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

var asked = time.UnixMicro(1700000000000000).UTC()

func deviceRequest(hash string) device.Request {
	return device.Request{
		Hash: []byte(hash), UserCode: []byte("code of " + hash), Client: "tv", Scopes: []string{"openid", "offline_access"}, Resources: []string{"urn:a:b", "https://c"}, Network: "192.0.2.0/24",
		Interval: 5 * time.Second, CreatedAt: asked, ExpiresAt: asked.Add(10 * time.Minute), KeepUntil: asked.Add(time.Hour),
		Outcome: device.Outcome{Status: device.StatusPending},
	}
}

func approval() device.Outcome {
	return device.Outcome{Status: device.StatusApproved, Grant: "g1", Decision: "d1"}
}

// eachDevices runs f on both dialects with one request stored.
func eachDevices(t *testing.T, f func(t *testing.T, s store.Devices, r device.Request)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, r := store.Devices{DB: db}, deviceRequest("h1")
		if err := s.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f(t, s, r)
	}, store.Migrations())
}

func TestDeviceRequest(t *testing.T) {
	eachDevices(t, func(t *testing.T, s store.Devices, r device.Request) {
		for name, find := range map[string]func() (device.Request, error){
			"by device code": func() (device.Request, error) { return s.Request(t.Context(), r.Hash) },
			"by user code":   func() (device.Request, error) { return s.Find(t.Context(), r.UserCode) },
		} {
			got, err := find()
			if diff := cmp.Diff(r, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
		if _, err := s.Request(t.Context(), r.UserCode); !errors.Is(err, device.ErrNotFound) {
			t.Errorf("a user code in place of a device code: %v, want ErrNotFound", err)
		}
		other := deviceRequest("h2")
		other.UserCode = r.UserCode
		if err := s.Add(t.Context(), other); !errors.Is(err, device.ErrTaken) {
			t.Errorf("a second request with the user code: %v, want ErrTaken", err)
		}
	})
}

func TestDevicePolls(t *testing.T) {
	eachDevices(t, func(t *testing.T, s store.Devices, r device.Request) {
		for _, c := range []struct {
			at       time.Duration
			want     error
			interval time.Duration
		}{
			{0, nil, 5}, {5, nil, 5}, {9, device.ErrTooSoon, 10}, {18, device.ErrTooSoon, 15}, {33, nil, 15}, {48, nil, 15},
		} {
			if err := s.Poll(t.Context(), r.Hash, asked.Add(c.at*time.Second)); !errors.Is(err, c.want) {
				t.Errorf("poll at %d s: %v, want %v", c.at, err, c.want)
			}
			if got, err := s.Request(t.Context(), r.Hash); err != nil || got.Interval != c.interval*time.Second {
				t.Errorf("interval after the poll at %d s = %v, %v; want %d s", c.at, got.Interval, err, c.interval)
			}
		}
	})
}

func TestDeviceRequestIsAnsweredOnce(t *testing.T) {
	denial := device.Outcome{Status: device.StatusDenied, Error: "access_denied"}
	eachDevices(t, func(t *testing.T, s store.Devices, r device.Request) {
		if err := s.Use(t.Context(), r.Hash, asked); !errors.Is(err, device.ErrSettled) {
			t.Errorf("use before the answer: %v, want ErrSettled", err)
		}
		if err := s.Settle(t.Context(), r.Hash, approval(), r.ExpiresAt); !errors.Is(err, device.ErrSettled) {
			t.Errorf("answer when it expired: %v, want ErrSettled", err)
		}
		if err := s.Settle(t.Context(), r.Hash, approval(), asked); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context(), r.Hash, denial, asked); !errors.Is(err, device.ErrSettled) {
			t.Errorf("second answer: %v, want ErrSettled", err)
		}
		if got, err := s.Request(t.Context(), r.Hash); err != nil || got.Outcome != approval() {
			t.Errorf("request = %+v, %v", got, err)
		}
		if err := s.Use(t.Context(), r.Hash, r.ExpiresAt); !errors.Is(err, device.ErrSettled) {
			t.Errorf("use when it expired: %v, want ErrSettled", err)
		}
	})
}

// Of requests that do the same at once, one succeeds.
func TestDeviceRequestRaces(t *testing.T) {
	eachDevices(t, func(t *testing.T, s store.Devices, r device.Request) {
		for name, do := range map[string]func(ctx context.Context) error{
			"poll":   func(ctx context.Context) error { return s.Poll(ctx, r.Hash, asked) },
			"settle": func(ctx context.Context) error { return s.Settle(ctx, r.Hash, approval(), asked) },
		} {
			if n := atOnce(t, do); n != 1 {
				t.Errorf("%s succeeded %d times, want once", name, n)
			}
		}
		if n := atOnce(t, func(ctx context.Context) error { return s.Use(ctx, r.Hash, asked) }); n != 1 {
			t.Errorf("use succeeded %d times, want once", n)
		}
	})
}

func atOnce(t *testing.T, do func(ctx context.Context) error) int64 {
	t.Helper()
	var succeeded atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := do(t.Context())
			if err == nil {
				succeeded.Add(1)
			} else if !errors.Is(err, device.ErrSettled) && !errors.Is(err, device.ErrTooSoon) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return succeeded.Load()
}

// The database refuses an approval that names no decision.
func TestDeviceApprovalNeedsADecision(t *testing.T) {
	eachDevices(t, func(t *testing.T, s store.Devices, r device.Request) {
		for _, o := range []device.Outcome{{Status: device.StatusApproved, Grant: "g1"}, {Status: device.StatusApproved, Decision: "d1"}, {Status: device.StatusDenied}} {
			if err := s.Settle(t.Context(), r.Hash, o, asked); err == nil || errors.Is(err, device.ErrSettled) {
				t.Errorf("%+v: %v, want the database to refuse", o, err)
			}
		}
	})
}
