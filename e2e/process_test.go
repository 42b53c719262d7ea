package e2e

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// deployment is what one or more server processes share: the database, the
// keyset, the connectors and a directory behind a fault proxy. Everything was
// set up with the command, as an admin would.
type deployment struct {
	dir       string
	binary    string        // "" for the release build
	lease     time.Duration // 0 for [quickLease]
	settings  string        // more YAML of the configuration
	issuer    string
	database  string
	directory *directory.Directory
	proxy     *faultproxy.Proxy
}

const scimToken = "the-directorys-bearer-token"

// deploy sets up a deployment whose issuer is known beforehand. An empty
// database takes a fresh SQLite file.
func deploy(t *testing.T, issuer, database string) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir(), issuer: issuer, database: database}
	if database == "" {
		d.database = "sqlite://" + filepath.Join(d.dir, "anteroom.db")
	}
	d.directory = directory.New(directory.Options{Token: scimToken})
	server := httptest.NewServer(d.directory)
	t.Cleanup(server.Close)
	d.proxy = faultproxy.Start(t, server.URL+directory.SCIMPath)
	d.write(t, "resources.yaml", resourcesYAML(d.proxy.URL, stackOptions{}))
	d.config(t, "127.0.0.1:0")
	d.command(t, "key", "generate", "--file", d.path("keys.json"))
	d.command(t, "connector", "pin", "scim2")
	d.command(t, "apply", "-f", d.path("resources.yaml"))
	return d
}

func (d *deployment) path(name string) string { return filepath.Join(d.dir, name) }

func (d *deployment) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(d.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// config writes the configuration file of the process that listens there.
func (d *deployment) config(t *testing.T, listen string) string {
	t.Helper()
	name := "anteroom-" + strings.ReplaceAll(listen, ":", "-") + ".yaml"
	d.write(t, name, fmt.Sprintf("issuer: %s\nlisten: %s\ndatabase: %q\nconnectors: {dir: %q}\nsecrets_key_file: %q\nlog: {level: warn}\nprovisioning: {lease: %s}\n%s",
		d.issuer, listen, d.database, connectorsDir(t), d.path("keys.json"), cmp.Or(d.lease, quickLease), d.settings))
	return d.path(name)
}

// command runs the real binary and returns what it printed.
func (d *deployment) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(releaseBuild(t), append(args, "--config", d.config(t, "127.0.0.1:0"))...)
	cmd.Env = environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("anteroom %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "SCIM_TOKEN=" + scimToken, "APP_SECRET=" + appSecret, "USER_PASSWORD=" + password}
}

// process is a running `anteroom serve`.
type process struct {
	binary string
	env    []string // beside what every process has; for the next start
	listen string
	config string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has; then err is set
	err    error
}

// serve starts a server process and waits until it is ready.
func (d *deployment) serve(t *testing.T, listen string) *process {
	t.Helper()
	p := d.prepare(t, listen)
	p.start(t)
	return p
}

// prepare returns a server process that is not started.
func (d *deployment) prepare(t *testing.T, listen string) *process {
	t.Helper()
	return &process{binary: cmp.Or(d.binary, releaseBuild(t)), listen: listen, config: d.config(t, listen)}
}

// start runs the process, on the same port and database each time. It ends with
// the test, and with the test binary: see sqldbtest on the thread.
func (p *process) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(p.binary, "serve", "--config", p.config)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environment(), p.env...), t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	exited, started := make(chan struct{}), make(chan error)
	p.cmd, p.exited = cmd, exited
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	p.awaitReady(t)
}

func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "ready on "+p.listen, func() bool {
		select {
		case <-p.exited:
			t.Fatalf("serve ended: %v", p.err)
		default:
		}
		res, err := http.Get("http://" + p.listen + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// kill ends the process as a power cut would, and checks that its connector went
// with it.
func (p *process) kill(t *testing.T) {
	t.Helper()
	connector := pidfd(t, p.connector(t))
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	awaitEnd(t, connector, "the connector of a killed server")
}

// terminate asks the process to end, and returns how long it took. It must end
// well, and leave no connector behind.
func (p *process) terminate(t *testing.T) time.Duration {
	t.Helper()
	connector := pidfd(t, p.connector(t))
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("the server does not end within %s of SIGTERM", patience)
	}
	took := time.Since(start)
	if p.err != nil {
		t.Errorf("the server ended with %v after SIGTERM, want exit code 0", p.err)
	}
	awaitEnd(t, connector, "the connector of a stopped server")
	return took
}

// connector returns the process id of the one connector the server runs.
func (p *process) connector(t *testing.T) int {
	t.Helper()
	pids := p.children(t)
	if len(pids) != 1 {
		t.Fatalf("the server has the children %v, want one connector", pids)
	}
	return pids[0]
}

func (p *process) children(t *testing.T) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, name := range tasks {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // the thread ended meanwhile
		}
		for field := range strings.FieldsSeq(string(raw)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// pidfd holds on to a process that is not our child: its number may be given
// anew, the descriptor stays.
func pidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("open process %d: %v", pid, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// awaitEnd waits for the end of a process, reaped or not.
func awaitEnd(t *testing.T, fd int, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if n == 1 {
			return
		}
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s is still there after %s", what, patience)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := unusedAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// unusedAddress returns an address nobody listens at. Its port is below those
// the kernel gives to outgoing connections, so that it is still free after a
// restart.
func unusedAddress() (string, error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port")
}
