package plugins

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
	"github.com/anteroom-id/anteroom/sdk"
)

// needFull fails where the tests must show everything and leaves elsewhere.
func needFull(t testing.TB) {
	t.Helper()
	if sandbox.Probe().Covers(sandbox.Full()) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this kernel offers %s, and the tests need %s", sandbox.Probe(), sandbox.Full())
	}
	t.Skipf("this kernel offers %s only", sandbox.Probe())
}

// TestIsolationIsTheDefault: who configures nothing has connectors confined, and
// is told how far.
func TestIsolationIsTheDefault(t *testing.T) {
	t.Parallel()
	needFull(t)
	b := newBench(t, nil, "good")
	got := b.Isolation()
	if got.Mode != IsolationBestEffort || got.Level != sandbox.Probe() || got.Problem != "" {
		t.Errorf("Isolation = %+v", got)
	}
	ask(t, b.open(t, target("good")), "x")
	for _, want := range []string{`msg="connector isolation"`, `msg="connector ready"`, got.Level.String()} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, b.log)
		}
	}
}

// TestRequiredIsolation starts nothing where it cannot be had, and says why.
func TestRequiredIsolation(t *testing.T) {
	t.Parallel()
	needFull(t)
	b := newBench(t, func(o *Options) { o.Isolation.Mode = IsolationRequired }, "good")
	ask(t, b.open(t, target("good")), "x")

	for name, change := range map[string]func(*Options){
		"there is no launcher": func(o *Options) { o.Isolation.Launcher = "" },
		"ended before it":      func(o *Options) { o.Isolation.Launcher = "/bin/true" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Isolation.Mode = IsolationRequired; change(o) }, "good")
			_, err := b.Open(t.Context(), target("good"))
			if err == nil || !strings.Contains(err.Error(), name) || b.log.has("connector ready") {
				t.Errorf("Open = %v, want it refused with %q", err, name)
			}
		})
	}
	b = newBench(t, func(o *Options) { o.Isolation = IsolationOptions{Mode: IsolationRequired} }, "good")
	_, err := b.Open(t.Context(), target("good"))
	if e := sdk.AsError(err); !errors.Is(err, ErrIsolation) || e.Kind != sdk.KindInternal || e.Effect != sdk.EffectNone {
		t.Errorf("Open = %v, want ErrIsolation that an admin must act on", err)
	}
}

func TestIsolationOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Isolation.Mode = IsolationOff }, "good")
	ask(t, b.open(t, target("good")), "x")
	if got := b.Isolation(); got.Level != (sandbox.Level{}) || got.String() != "none" {
		t.Errorf("Isolation = %s", got)
	}
	if !strings.Contains(b.log.String(), "isolation=none") {
		t.Errorf("the log does not say it:\n%s", b.log)
	}
}

func TestIsolationOptionsAreChecked(t *testing.T) {
	for _, o := range []IsolationOptions{
		{Mode: "on"}, {UIDs: [2]int{0, 9}}, {UIDs: [2]int{9, 8}}, {UIDs: [2]int{-1, -1}},
	} {
		if err := o.check(); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if own := os.Geteuid(); own > 0 {
		if err := (IsolationOptions{UIDs: [2]int{own, own + 1}}).check(); err == nil {
			t.Error("the host's own user is taken")
		}
	}
}

// TestForeignPort: a connector reaches the ports that its target's configuration
// names, not those of another target, and not just any.
func TestForeignPort(t *testing.T) {
	t.Parallel()
	needFull(t)
	mine, others := listenTCP(t), listenTCP(t)
	b := newBench(t, nil, "good")
	at := func(name string, l net.Listener) *Conn {
		cfg := target("good")
		cfg.Instance, cfg.Config.Values = name, fmt.Appendf(nil, `{"base_url":"http://%s/scim"}`, l.Addr())
		return b.open(t, cfg)
	}
	first, second := at("first", mine), at("second", others)
	pid := ask(t, first, "dial "+mine.Addr().String())
	if other := ask(t, second, "dial "+others.Addr().String()); other == pid {
		t.Error("targets with different ports share a process")
	}
	_, err := first.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "dial " + others.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a foreign port: %v, want permission denied", err)
	}
	third := at("third", mine)
	if again := ask(t, third, "x"); again != pid {
		t.Error("targets with the same ports do not share a process")
	}

	allowed := newBench(t, func(o *Options) { o.Isolation.Ports = []uint16{portOfListener(mine)} }, "good")
	ask(t, allowed.open(t, target("good")), "dial "+mine.Addr().String())
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func portOfListener(l net.Listener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }

func TestConfigPorts(t *testing.T) {
	got := configPorts([]byte(`{
		"base_url": "https://scim.example.com:8443/v2", "plain": "http://example.com/", "ldap": "ldaps://[::1]:1636", "server": "db.example.com:3890",
		"port": 10389, "smtp_port": "2525", "portal": 7, "count": 8, "text": "at 10:30", "time": "10:30", "nested": {"list": [{"url": "http://a:81"}]},
		"bad_port": 70000, "port_zero_port": 0}`))
	slices.Sort(got)
	want := []uint16{81, 1636, 2525, 3890, 8443, 10389}
	if !slices.Equal(got, want) {
		t.Errorf("configPorts = %v, want %v", got, want)
	}
	if got := configPorts([]byte(`{`)); got != nil {
		t.Errorf("configPorts of no JSON = %v", got)
	}
	if got := proxyPorts([]string{"https_proxy=http://proxy:3128", "HTTP_PROXY=proxy:8080", "NO_PROXY=a:1", "HTTPS_PROXY="}); !slices.Equal(got, []uint16{3128, 8080}) {
		t.Errorf("proxyPorts = %v", got)
	}
}

func FuzzConfigPorts(f *testing.F) {
	f.Add([]byte(`{"port":1,"u":["http://h:2","h:3"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range configPorts(raw) {
			if p == 0 {
				t.Errorf("configPorts(%q) has port 0", raw)
			}
		}
	})
}

// TestConnectorDumpsItsEnvironment finds nothing of the host's in it.
//
// It is trap 8 of docs/connector-traps.md.
func TestConnectorDumpsItsEnvironment(t *testing.T) {
	t.Setenv("ANTEROOM_SECRETS_KEY_FILE", "canary")
	b := newBench(t, nil, "good")
	if dump := ask(t, b.open(t, target("good")), "environ"); strings.Contains(dump, "canary") || strings.Contains(dump, "s3cret") {
		t.Errorf("the environment holds what it must not:\n%s", dump)
	}
}

// TestConnectorsWithUsersOfTheirOwn each have one, own their folders, and leave
// nothing.
func TestConnectorsWithUsersOfTheirOwn(t *testing.T) {
	needFull(t)
	uids := [2]int{61800, 61801}
	if err := sandbox.CanSwitchUser(); err != nil {
		b := newBench(t, func(o *Options) { o.Isolation.UIDs = uids }, "good")
		if got := b.Isolation(); !strings.Contains(got.Problem, "CAP_SETUID") || got.UIDs != [2]int{} {
			t.Errorf("Isolation = %+v, want the missing capability named", got)
		}
		return
	}
	b := newBench(t, func(o *Options) { o.Isolation.Mode, o.Isolation.UIDs = IsolationRequired, uids }, "good", "other", "lean")
	good, other := uidOf(t, ask(t, b.open(t, target("good")), "x")), uidOf(t, ask(t, b.open(t, target("other")), "x"))
	for _, uid := range []int{good, other} {
		if uid < uids[0] || uid > uids[1] {
			t.Errorf("a connector runs as %d", uid)
		}
	}
	if good == other {
		t.Error("two connectors run as one user")
	}
	if _, err := b.Open(t.Context(), target("lean")); !errors.Is(err, ErrIsolation) || !strings.Contains(err.Error(), "taken") {
		t.Errorf("Open without a user left = %v", err)
	}
	if !strings.Contains(b.log.String(), fmt.Sprintf("+uid %d\"", good)) {
		t.Errorf("the log does not name the user:\n%s", b.log)
	}
}

func uidOf(t *testing.T, pid string) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Fatal("there are no users to switch to here")
	}
	info, err := os.Stat("/proc/" + pid)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// TestReplacedFile: a connector that may no longer read what a file has become is
// started again, when its calls have ended.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.HealthEvery = time.Hour }, "good") // the test looks itself
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	proc, err := c.program.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	for _, name := range []string{path, path + ".new"} {
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	proc.files = sandbox.Files{path: was}
	proc.retireOutdated()
	if proc.isRetired() {
		t.Error("retired although nothing was replaced")
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	proc.retireOutdated()
	if !b.log.has("started again to see a replaced file") {
		t.Errorf("the log does not say it:\n%s", b.log)
	}
	select {
	case <-proc.run.Exited():
		t.Error("the call under way was cut off")
	default:
	}
	proc.leave()
	if again := ask(t, c, "x"); again == pid {
		t.Error("the process was not started again")
	}
	if b.log.has("connector crashed") {
		t.Error("its end counts as a crash")
	}
}

func TestFilesOfThePolicy(t *testing.T) {
	files := sandbox.Default().Files()
	if _, ok := files["/etc/hosts"]; !ok || files.Replaced() != "" {
		t.Errorf("files = %v, replaced %q", files, files.Replaced())
	}
	for path := range files {
		if !strings.HasPrefix(path, "/etc/") || strings.HasPrefix(path, "/etc/ssl") {
			t.Errorf("%s is watched", path)
		}
	}
}
