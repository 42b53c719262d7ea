package runner

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func discard() *Log { return NewLog(slog.New(slog.DiscardHandler), keep, time.Now) }

// copySelf copies the test binary, so that a test may change it.
func copySelf(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSwapBetweenHashAndExec replaces the file after it was verified: what runs
// are the verified bytes.
//
// It is trap 10 of docs/connector-traps.md.
func TestSwapBetweenHashAndExec(t *testing.T) {
	path := copySelf(t)
	img := readImage(t, path)
	pwned := filepath.Join(t.TempDir(), "pwned")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n: >"+pwned+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := withImage(img, "idle", shortDir(t), discard())
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line := handshakeOf(t, r); !strings.HasPrefix(line, "1|1|unix|") {
		t.Errorf("handshake = %q, want the verified program's", line)
	}
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, r.Drained(), "drained")
	if _, err := os.Stat(pwned); err == nil {
		t.Error("the bytes put there after the check were executed")
	}
}

func TestScriptIsVerifiedBeforeEachStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	script := "#!/bin/sh\necho '1|1|unix|/x|grpc|'\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	img := readImage(t, path)
	if want, _ := Digest(strings.NewReader(script)); img.Digest() != want {
		t.Errorf("Digest = %s, want %s", img.Digest(), want)
	}
	r := withImage(img, "script", shortDir(t), discard())
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line := handshakeOf(t, r); line != "1|1|unix|/x|grpc|\n" {
		t.Errorf("handshake = %q", line)
	}
	await(t, r.Drained(), "drained")

	if err := os.WriteFile(path, []byte(script+"touch pwned\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := withImage(img, "script", shortDir(t), discard()).Start(t.Context()); !errors.Is(err, ErrChanged) {
		t.Errorf("Start of a changed script = %v, want ErrChanged", err)
	}
}

// TestPrivateCopy covers systems without sealed memory.
func TestPrivateCopy(t *testing.T) {
	src, err := os.Open(copySelf(t))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dir := shortDir(t)
	img, err := copyToFile(bufio.NewReader(src), dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(img.exec); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("copy = %v, %v, want mode 0500", info, err)
	}
	r := withImage(img, "idle", shortDir(t), discard())
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	handshakeOf(t, r)
	if err := errors.Join(r.Kill(t.Context()), img.Close()); err != nil {
		t.Fatal(err)
	}
	await(t, r.Drained(), "drained")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("Close left %v", left)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestImageTooLarge(t *testing.T) {
	if _, err := copyDigest(io.Discard, io.LimitReader(endless{}, maxImage+1)); err == nil {
		t.Error("an endless program was accepted")
	}
}
