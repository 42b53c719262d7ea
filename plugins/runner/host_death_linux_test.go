package runner

import (
	"bufio"
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
func TestChildDiesWithItsKilledHost(t *testing.T) {
	for _, mode := range []string{"stubborn", "lifeline"} {
		t.Run(mode, func(t *testing.T) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			host := &exec.Cmd{Path: exe, Args: []string{"host"}, Stderr: os.Stderr,
				Env: []string{"HOST_CHILD=" + mode, "HOST_DIR=" + shortDir(t)}}
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
