package peers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The SCIM servers that [Start] knows.
const (
	Scimmy     = "scimmy"
	BetterAuth = "better-auth"
)

const (
	token        = "peer-token-of-at-least-32-characters"
	startTimeout = 30 * time.Second
)

// Server is a running SCIM server.
type Server struct {
	BaseURL string // the part before /Users
	Token   string // for bearer authentication
}

// Start runs the named SCIM server, empty, until the test ends.
func Start(t testing.TB, name string) Server {
	t.Helper()
	return Server{BaseURL: serve(t, name+".mjs"), Token: token}
}

// serve starts a script that listens at a port of its own and returns its address.
func serve(t testing.TB, script string, args ...string) string {
	t.Helper()
	args = append(append([]string{"0"}, args...), "--until-stdin-ends")
	line := start(t, script, args...).readLine(t)
	address, ok := strings.CutPrefix(line, "ready ")
	if !ok {
		t.Fatalf("start %s: it said %q", script, line)
	}
	return address
}

// process is a Node process that ends with the test.
type process struct {
	stdin io.WriteCloser
	lines chan string // its standard output, closed at the end
}

func start(t testing.TB, script string, args ...string) process {
	t.Helper()
	node, dir := need(t)
	cmd := exec.Command(node, append([]string{script}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PEER_TOKEN=" + token}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("start %s: %v", script, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("start %s: %v", script, err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", script, err)
	}
	p := process{stdin: stdin, lines: make(chan string)}
	stop := make(chan struct{})
	go p.scan(stdout, stop)
	t.Cleanup(func() {
		close(stop)
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		for range p.lines { // until scan has seen the end of the output
		}
		_ = cmd.Wait()
	})
	return p
}

// scan hands out lines until stop, and reads on so that the process never
// blocks on its output.
func (p process) scan(r io.Reader, stop <-chan struct{}) {
	defer close(p.lines)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		select {
		case p.lines <- scanner.Text():
		case <-stop:
		}
	}
}

func (p process) readLine(t testing.TB) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("the peer ended without a word on standard output")
		}
		return line
	case <-time.After(startTimeout):
		t.Fatalf("the peer said nothing for %s", startTimeout)
	}
	return ""
}

// need returns the node binary and the folder with the scripts.
func need(t testing.TB) (node, dir string) {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	node, err = exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules"))
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("needs node and \"npm ci\" in e2e/peers: %v", err)
	}
	if err != nil {
		t.Skipf("needs node and \"npm ci\" in e2e/peers: %v", err)
	}
	return node, dir
}

// folder finds e2e/peers from wherever in the module the test runs.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find e2e/peers: %w", err)
	}
	for {
		peers := filepath.Join(dir, "e2e", "peers")
		if _, err := os.Stat(filepath.Join(peers, "package.json")); err == nil {
			return peers, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find e2e/peers: not inside the module")
		}
		dir = parent
	}
}
