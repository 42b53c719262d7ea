package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// pins is an approval of one connector that tests change.
type pins struct {
	mu  sync.Mutex
	pin plugins.Pin
}

// Pin implements plugins.Pins.
func (p *pins) Pin(context.Context, string) (plugins.Pin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pin.Name == "" {
		return plugins.Pin{}, plugins.ErrNotPinned
	}
	return p.pin, nil
}

// lab is the connections of a server with the real scim2 connector.
type lab struct {
	*connections
	pins   *pins
	binary string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	l := &lab{pins: &pins{}, binary: filepath.Join(dir, "anteroom-connector-scim2")}
	writeConnector(t, l.binary)
	host, err := plugins.New(plugins.Options{
		Dir: dir, Pins: l.pins, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	l.connections = newConnections(host)
	l.approve(t)
	return l
}

// approve pins the binary as it is now.
func (l *lab) approve(t *testing.T) {
	t.Helper()
	d, digest, err := l.Inspect(t.Context(), "scim2", true)
	if err != nil {
		t.Fatal(err)
	}
	l.pins.mu.Lock()
	defer l.pins.mu.Unlock()
	l.pins.pin = plugins.Pin{Name: "scim2", Digest: digest, Description: d, PinnedAt: time.Now()}
}

// system is a directory that counts what reaches it.
type system struct {
	url  string
	mu   sync.Mutex
	hits int
}

const token = "a-token-of-the-directory"

func startSystem(t *testing.T) *system {
	t.Helper()
	s := &system{}
	d := directory.New(directory.Options{Token: token})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.hits++
		s.mu.Unlock()
		d.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + directory.SCIMPath
	return s
}

func (s *system) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

func targetAt(s *system, revision int64) provisioning.Target {
	return provisioning.Target{
		Name: "directory", Connector: "scim2", Revision: revision,
		Config:  json.RawMessage(fmt.Sprintf(`{"base_url": %q, "auth": "bearer"}`, s.url)),
		Secrets: map[string]sdk.Secret{"token": token},
	}
}

func lookup(t *testing.T, conn *plugins.Conn) error {
	t.Helper()
	_, err := conn.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "userName", Value: "ada"})
	return err
}

// reaches checks that the connection leads to the system.
func reaches(t *testing.T, conn *plugins.Conn, s *system) {
	t.Helper()
	before := s.count()
	if err := lookup(t, conn); err != nil {
		t.Errorf("lookup: %v", err)
	}
	if s.count() == before {
		t.Error("the lookup went to another system")
	}
}

func (l *lab) mustConnect(t *testing.T, target provisioning.Target) *plugins.Conn {
	t.Helper()
	conn, err := l.connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestConnectionIsKeptWhileNothingChanges(t *testing.T) {
	l, s := newLab(t), startSystem(t)
	first := l.mustConnect(t, targetAt(s, 1))
	reaches(t, first, s)
	if again := l.mustConnect(t, targetAt(s, 1)); again != first {
		t.Error("the same target took another connection")
	}
}

// What changed takes a new connection, and the old one is closed.
func TestConnectionIsReplaced(t *testing.T) {
	l, one, two := newLab(t), startSystem(t), startSystem(t)
	otherToken := targetAt(two, 2)
	otherToken.Secrets = map[string]sdk.Secret{"token": "another"}
	steps := []struct {
		name   string
		target provisioning.Target
		to     *system
	}{
		{"first", targetAt(one, 4), one},
		{"new revision, other system", targetAt(two, 5), two},
		{"new revision, nothing else", targetAt(two, 6), two},
		{"deleted and made anew", targetAt(one, 1), one},
		{"deleted and made anew at the same revision", targetAt(two, 1), two},
	}
	var last *plugins.Conn
	for _, step := range steps {
		conn := l.mustConnect(t, step.target)
		reaches(t, conn, step.to)
		if last != nil {
			if err := lookup(t, last); !errors.Is(err, plugins.ErrStopped) {
				t.Errorf("%s: the old connection answers %v, want ErrStopped", step.name, err)
			}
			if sdk.KindOf(lookup(t, last)) != sdk.KindTransient {
				t.Errorf("%s: a run on the old connection is not tried again", step.name)
			}
		}
		last = conn
	}
	if err := lookup(t, l.mustConnect(t, otherToken)); sdk.KindOf(err) != sdk.KindUnauthorized {
		t.Errorf("with another secret: %v, want unauthorized", err)
	}
}

// A binary that is pinned anew takes over without a restart, and without a new
// connection: a run that has one goes on with it.
func TestNewlyPinnedBinaryTakesOver(t *testing.T) {
	l, s := newLab(t), startSystem(t)
	old := l.mustConnect(t, targetAt(s, 1))
	reaches(t, old, s)
	upgrade(t, l.binary)
	if still := l.mustConnect(t, targetAt(s, 1)); still != old {
		t.Error("a binary nobody approved took over")
	}
	reaches(t, old, s)
	before := old.Digest()
	l.approve(t)
	if err := l.Upgrade(t.Context(), "scim2"); err != nil {
		t.Fatal(err)
	}
	if still := l.mustConnect(t, targetAt(s, 1)); still != old || old.Digest() == before {
		t.Fatal("the new binary is not used")
	}
	reaches(t, old, s)
}

// upgrade puts another binary in place, as an installer does: what runs keeps
// its file.
func upgrade(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", append(raw, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// Workers that connect at the same time share one connection, and the ones that
// were opened for nothing are closed.
func TestConcurrentConnectsKeepOne(t *testing.T) {
	l, s := newLab(t), startSystem(t)
	for revision := range int64(5) {
		target := targetAt(s, revision+1)
		conns := make([]*plugins.Conn, 16)
		var wg sync.WaitGroup
		for i := range conns {
			wg.Go(func() {
				conn, err := l.connect(t.Context(), target)
				if err != nil {
					t.Error(err)
					return
				}
				if err := lookup(t, conn); err != nil {
					t.Errorf("lookup: %v", err)
				}
				conns[i] = conn
			})
		}
		wg.Wait()
		for _, conn := range conns {
			if conn != conns[0] {
				t.Fatalf("revision %d: more than one connection is in use", target.Revision)
			}
		}
	}
}

// The connection shows what the connector can do.
func TestConnectShowsCapabilities(t *testing.T) {
	l, s := newLab(t), startSystem(t)
	conn, err := l.Connect(t.Context(), targetAt(s, 1))
	if err != nil {
		t.Fatal(err)
	}
	if conn.Getter == nil || conn.ActiveSetter == nil || conn.Deleter == nil || conn.Description.Name != "scim2" {
		t.Errorf("Connect = %+v, want what scim2 can do", conn)
	}
	unknown := targetAt(s, 1)
	unknown.Name, unknown.Connector = "crm", "nope"
	if _, err := l.Connect(t.Context(), unknown); !errors.Is(err, plugins.ErrNotFound) {
		t.Errorf("Connect with an unknown connector = %v, want ErrNotFound", err)
	}
}
