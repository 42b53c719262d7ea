package sqldbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// cluster starts the test binary's one cluster and returns its socket folder.
var cluster = sync.OnceValues(startCluster)

const startTimeout = 30 * time.Second

func startCluster() (string, error) {
	bin, err := binDir()
	if err != nil {
		return "", err
	}
	sweep()
	// Not a test's own folder: its parents are closed to the unprivileged user.
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", folderPrefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	attr, err := unprivileged(dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := startServer(filepath.Join(bin, "postgres"), dir, data, attr); err != nil {
		return "", err
	}
	return dir, awaitServer(dir)
}

// folderPrefix comes before the number of the process that made the folder.
const folderPrefix = "anteroom-pg-"

// sweep removes the folders of test processes that are gone: a test binary has no
// end of its own at which to remove the cluster it started.
func sweep() {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // somebody else may be sweeping too
		}
	}
}

// binDir finds the newest installed PostgreSQL; Debian keeps it off the PATH.
func binDir() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no /usr/lib/postgresql/*/bin/initdb")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged hands dir to nobody when we are root, since PostgreSQL refuses to
// run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}

// startServer starts the server from a thread of its own: the kernel sends the
// parent-death signal when the starting THREAD ends, so that thread must live as
// long as the process.
func startServer(binary, dir, data string, attr *syscall.SysProcAttr) error {
	cmd := exec.Command(binary, "-D", data, "-k", dir, "-h", "", "-F",
		"-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=300")
	cmd.SysProcAttr, cmd.Dir = attr, dir
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return <-started
}

func awaitServer(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		db, err := sqldb.Open(ctx, "postgres:///postgres?user=postgres&host="+dir)
		if err == nil {
			return db.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("postgres did not come up: %w", err)
		}
	}
}
