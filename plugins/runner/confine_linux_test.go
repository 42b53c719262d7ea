package runner

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

// testUID is a user that is nobody's.
const testUID = 61873

// confined runs a child of the test binary under the default policy, with what
// the test changes of it.
func confined(t *testing.T, mode string, change func(*Confinement)) *Runner {
	t.Helper()
	c := &Confinement{Launcher: "/proc/self/exe", Policy: sandbox.Default()}
	if change != nil {
		change(c)
	}
	r := withImage(self(t), mode, shortDir(t), NewLog(slog.New(&records{}), keep, time.Now))
	r.cfg.Confine = c
	if c.UID != 0 {
		if err := os.Chmod(r.dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if r.ID() == "" {
			return
		}
		if err := r.Kill(t.Context()); err != nil {
			t.Error(err)
		}
		await(t, r.Drained(), "drained")
	})
	return r
}

func mustStart(t *testing.T, r *Runner) {
	t.Helper()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// prepare lays out what a hostile child wants to get at.
func prepare(t *testing.T, r *Runner) facts {
	t.Helper()
	outside := shortDir(t)
	secret := filepath.Join(outside, "keys.json")
	allowed, foreign := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
	abstract := listen(t, "unix", "@anteroom-test-"+strconv.Itoa(os.Getpid()))
	r.cfg.Confine.Policy.Connect = append(r.cfg.Confine.Policy.Connect, uint16(port(allowed)))
	f := facts{
		HostPID: os.Getpid(), Secret: secret, Outside: outside, Allowed: allowed.Addr().String(), Foreign: foreign.Addr().String(),
		ForeignPort: port(foreign), Abstract: abstract.Addr().String(),
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		os.Chmod(outside, 0o777), os.WriteFile(secret, []byte("canary"), 0o666), os.MkdirAll(homeIn(r.dir), 0o700),
		os.WriteFile(filepath.Join(homeIn(r.dir), "facts.json"), raw, 0o644),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	return f
}

// refusals is what must come of every attempt at the full level.
func refusals() map[string]string {
	const denied, forbidden = "permission denied", "operation not permitted"
	return map[string]string{
		"read /etc/shadow": denied, "read /etc/passwd": denied, "read a key file": denied, "list /": denied, "write outside": denied,
		"write /dev/shm": denied, "remove outside": denied, "run a shell": denied, "run what it wrote": denied,
		"write a huge file": "file too large", "open many files": "too many open files",
		"read hosts (allowed)": "done", "write inside (allowed)": "done", "connect (allowed)": "done",

		"read the host's environment": denied, "read the host's command": denied, "read the host's memory": denied, "list processes": denied,
		"trace the host": forbidden, "copy the host's memory": forbidden, "signal the host": forbidden, "take the host's descriptor": forbidden,
		"leave the session": forbidden, "leave the group": forbidden, "become root": forbidden, "keep a capability": "none",
		"get new privileges": "none", "raise the core limit": forbidden,

		"unshare the user": forbidden, "unshare the net": forbidden, "join a namespace": forbidden, "clone into a namespace": forbidden,
		"mount": forbidden, "load a program": forbidden, "set up io_uring": forbidden, "handle page faults": forbidden,
		"open a counter": forbidden, "read a key ring": forbidden, "load a module": forbidden, "load a kernel": forbidden,
		"read the kernel's log": forbidden,

		"connect to a foreign port": denied, "connect to a hidden socket": forbidden, "connect by fast open": "operation not supported",
		"listen": denied, "open a multipath socket": "protocol not supported", "open an SCTP socket": "protocol not supported",
		"open a raw socket": "protocol not supported", "open a packet socket": "address family not supported",
		"open a VM socket": "address family not supported",
	}
}

// TestHostileProgram covers traps and attacks at once: one child tries them all.
func TestHostileProgram(t *testing.T) {
	needFull(t)
	r := confined(t, "hostile", nil)
	f := prepare(t, r)
	mustStart(t, r)
	await(t, r.Drained(), "drained")
	checkRefusals(t, r)
	if want := sandbox.Probe(); r.Level() != want {
		t.Errorf("Level = %s, want %s", r.Level(), want)
	}
	if raw, err := os.ReadFile(f.Secret); err != nil || string(raw) != "canary" {
		t.Errorf("the file outside is %q, %v", raw, err)
	}
}

func checkRefusals(t *testing.T, r *Runner) {
	t.Helper()
	got := outcomes(r.cfg.Log.Tail())
	for name, want := range refusals() {
		text, tried := got[name]
		if !tried {
			t.Errorf("%s: never tried; output:\n%s", name, strings.Join(r.cfg.Log.Tail(), "\n"))
			return
		}
		if !strings.HasSuffix(text, want) && !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
}

// needFull fails where the tests must show everything and leaves elsewhere.
func needFull(t *testing.T) {
	t.Helper()
	if sandbox.Probe().Covers(sandbox.Full()) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this kernel offers %s, and the tests need %s", sandbox.Probe(), sandbox.Full())
	}
	t.Skipf("this kernel offers %s only", sandbox.Probe())
}

// TestHostileProgramWithItsOwnUser is refused the same, and cannot even make
// processes without end.
func TestHostileProgramWithItsOwnUser(t *testing.T) {
	needFull(t)
	if err := sandbox.CanSwitchUser(); err != nil {
		own := confined(t, "hostile", func(c *Confinement) { c.UID = testUID })
		if err := own.Start(t.Context()); !errors.Is(err, os.ErrPermission) {
			t.Errorf("Start without the capabilities = %v, want it refused", err)
		}
		return
	}
	r := confined(t, "hostile", func(c *Confinement) { c.UID = testUID })
	prepare(t, r)
	mustStart(t, r)
	await(t, r.Drained(), "drained")
	checkRefusals(t, r)
	if got := r.Level().UID; got != testUID {
		t.Errorf("Level().UID = %d", got)
	}

	bomb := confined(t, "forkbomb", func(c *Confinement) { c.UID, c.Policy.Processes = testUID, 64 })
	mustStart(t, bomb)
	started := awaitLine(t, bomb, "started=")
	n, err := strconv.Atoi(strings.Fields(started)[0])
	if err != nil || n >= 64 || !strings.Contains(started, "resource temporarily unavailable") {
		t.Errorf("the bomb started %s, want fewer than 64 and EAGAIN", started)
	}
	if err := bomb.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	await(t, bomb.Drained(), "drained") // every process it started held the output
}

func awaitLine(t *testing.T, r *Runner, prefix string) string {
	t.Helper()
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, line := range r.cfg.Log.Tail() {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return rest
			}
		}
	}
	t.Fatalf("no line %s… in:\n%s", prefix, strings.Join(r.cfg.Log.Tail(), "\n"))
	return ""
}

// TestConfinedGrandchildDiesWithItsParent is trap 5 where it cannot happen: no
// process leaves the group that is killed.
func TestConfinedGrandchildDiesWithItsParent(t *testing.T) {
	needFull(t)
	r := confined(t, "parent", nil)
	mustStart(t, r)
	await(t, r.Drained(), "drained")
	if out := strings.Join(r.cfg.Log.Tail(), "\n"); !strings.Contains(out, "operation not permitted") {
		t.Errorf("a grandchild got a session of its own:\n%s", out)
	}
}

func TestNoCoreDump(t *testing.T) {
	needFull(t)
	r := confined(t, "abort", nil)
	mustStart(t, r)
	await(t, r.Exited(), "exited")
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGABRT || status.CoreDump() {
		t.Errorf("the process ended with %s (core dumped: %v), want SIGABRT without", r.Exit(), status.CoreDump())
	}
	await(t, r.Drained(), "drained")
}

// TestLauncherFailures are errors of the start with their reason, and leave
// nothing behind.
//
// It is trap 12 of docs/connector-traps.md.
func TestLauncherFailures(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("not a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		image  *Image
		change func(*Confinement)
		want   error
	}{
		"not a program":     {image: readImage(t, garbage), want: syscall.ENOEXEC},
		"no launcher":       {image: self(t), change: func(c *Confinement) { c.Launcher = "/nonexistent" }, want: os.ErrNotExist},
		"a level too high":  {image: self(t), change: func(c *Confinement) { c.Policy.Require.Landlock = 1000 }, want: sandbox.ErrLevel},
		"some other binary": {image: self(t), change: func(c *Confinement) { c.Launcher = "/bin/false" }, want: nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := confined(t, "idle", c.change)
			r.cfg.Image = c.image
			err := r.Start(t.Context())
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Start = %v, want %v", err, c.want)
			}
			if r.ID() != "" {
				await(t, r.Drained(), "drained")
			}
			if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder of a failed start is still there: %v", err)
			}
		})
	}
}

// TestKillDuringLaunch ends a start that waits for its launcher.
//
// It is trap 16 of docs/connector-traps.md.
func TestKillDuringLaunch(t *testing.T) {
	r := confined(t, "idle", func(c *Confinement) { c.Launcher = executableOf(t, "sleep") })
	done := make(chan error, 1)
	go func() { done <- r.Start(t.Context()) }()
	for r.ID() == "" {
		time.Sleep(time.Millisecond)
	}
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err == nil {
			t.Error("a killed launcher started the program")
		}
	case <-time.After(patience):
		t.Fatal("Start waits for a dead launcher")
	}
}

// executableOf returns a script that sleeps, whatever it is told.
func executableOf(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "launcher")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec "+program+" 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfinedScript runs with its interpreter and its neighbours.
func TestConfinedScript(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	text := "#!/bin/sh\ncat " + filepath.Join(dir, "neighbour") + " >&2\ncat /etc/shadow >&2 || echo refused >&2\necho > " + filepath.Join(dir, "new") + " || echo kept >&2\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "neighbour"), []byte("hello from the neighbour\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	needFull(t)
	r := confined(t, "script", nil)
	r.cfg.Image = readImage(t, path)
	mustStart(t, r)
	await(t, r.Drained(), "drained")
	out := strings.Join(r.cfg.Log.Tail(), "\n")
	for _, want := range []string{"hello from the neighbour", "refused", "kept"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
