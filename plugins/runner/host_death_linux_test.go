package runner

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestChildDiesWithItsKilledHost kills a host that cannot clean up, whose child
// neither reads its life line nor heeds SIGTERM.
//
// It is trap 6 of docs/connector-traps.md.
func TestChildDiesWithItsKilledHost(t *testing.T) {
	for _, test := range []struct{ mode, confines string }{{"stubborn", ""}, {"lifeline", ""}, {"stubborn", "yes"}} {
		mode := test.mode
		t.Run(mode+test.confines, func(t *testing.T) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			host := &exec.Cmd{Path: exe, Args: []string{"host"}, Stderr: os.Stderr,
				Env: []string{"HOST_CHILD=" + mode, "HOST_CONFINES=" + test.confines, "HOST_DIR=" + shortDir(t)}}
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = host.Process.Kill(); _ = host.Wait() }()
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			awaitPidfd(t, fd)
		})
	}
}

func awaitPidfd(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		n, err := unix.Poll(fds, int(time.Until(end).Milliseconds()))
		if n == 1 {
			return
		}
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
	t.Fatal("the child outlives its host")
}

// TestSealedImage shows that nobody can change what will be executed.
//
// It is trap 10 of docs/connector-traps.md.
func TestSealedImage(t *testing.T) {
	img := self(t)
	if img.file == nil {
		t.Fatal("the image is not in sealed memory")
	}
	f, err := os.OpenFile(img.exec, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("#!"), 0); err == nil {
		t.Error("a sealed image can be written to")
	}
	if err := f.Truncate(0); err == nil {
		t.Error("a sealed image can be cut")
	}
	seals, err := unix.FcntlInt(img.file.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_WRITE == 0 || seals&unix.F_SEAL_SEAL == 0 {
		t.Errorf("seals = %#x, %v", seals, err)
	}
	if leaked, _ := filepath.Glob(filepath.Join(filepath.Dir(img.exec), "image-*")); len(leaked) > 0 {
		t.Errorf("copies on disk: %v", leaked)
	}
}

// TestProgramIsFoundWhateverTheChildMoves gives the program the very number to
// which a child moves the pipe it reports a failed exec on.
func TestProgramIsFoundWhateverTheChildMoves(t *testing.T) {
	var low []*os.File // free again by the time that pipe is made
	for range 8 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		low = append(low, f)
	}
	img, p := self(t), mustOpenPipes(t)
	next := int(p.highest()) + 1
	fd, err := unix.FcntlInt(img.file.Fd(), unix.F_DUPFD_CLOEXEC, next)
	if err != nil || fd != next {
		t.Fatalf("the program got descriptor %d, %v; want %d", fd, err, next)
	}
	moved := &Image{digest: img.digest, file: os.NewFile(uintptr(fd), "moved"), exec: fmt.Sprintf("/proc/self/fd/%d", fd)}
	defer moved.Close()
	for _, f := range low {
		_ = f.Close()
	}
	r := withImage(moved, "env", shortDir(t), NewLog(slog.New(&records{}), redactToken, time.Now))
	for _, dir := range []string{homeIn(r.dir), tempIn(r.dir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.launch(p); err != nil {
		t.Fatalf("launch: %v", err)
	}
	handshakeOf(t, r)
	if err := r.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	await(t, r.Drained(), "drained")
}

func mustOpenPipes(t *testing.T) *pipes {
	t.Helper()
	p, err := openPipes()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
