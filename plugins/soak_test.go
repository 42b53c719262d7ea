package plugins

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// soakCount reads how much is to be done; make soak sets it, and by itself the
// test takes a few seconds.
func soakCount(t *testing.T, name string, short int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("%s = %q, want a number of 10 or more", name, text)
	}
	return n
}

// footprint is what must not grow.
type footprint struct {
	goroutines, descriptors, children, folders int
	heap, rss                                  int64 // of the host, bytes
	connector                                  int64 // resident memory of the connector, bytes; 0 if it was just started
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d children, %d folders, heap %d KiB, resident %d KiB, connector %d KiB",
		f.goroutines, f.descriptors, f.children, f.folders, f.heap>>10, f.rss>>10, f.connector>>10)
}

func (b *bench) footprint(t *testing.T) footprint {
	t.Helper()
	var f footprint
	// What ends with a process ends a moment after it.
	for settledFor := 0; settledFor < 5; settledFor++ {
		time.Sleep(50 * time.Millisecond)
		if n := runtime.NumGoroutine(); n != f.goroutines {
			f.goroutines, settledFor = n, 0
		}
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.rss = int64(m.HeapAlloc), memoryOf(t, os.Getpid())["VmRSS"]<<10
	f.descriptors, f.children = countFiles(t, "/proc/self/fd"), len(childrenOf(t))
	folders, err := filepath.Glob(filepath.Join(b.Host.dir.Path(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	f.folders = len(folders)
	f.connector = memoryOf(t, b.pid(t))["VmRSS"] << 10
	return f
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// childrenOf returns this process's children, the dead that nobody has buried
// included.
func childrenOf(t *testing.T) []string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range tasks {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		out = append(out, strings.Fields(string(raw))...)
	}
	return out
}

const (
	// someGoroutines come and go; one that stays for each restart is many more.
	someGoroutines = 5
	// maxHeapGrowth allows for pools and the log of the test.
	maxHeapGrowth = 4 << 20
	// maxConnectorGrowth allows for a garbage-collected heap to find its size.
	maxConnectorGrowth = 24 << 20
)

// check reports everything that grew.
func (f footprint) check(t *testing.T, before footprint) {
	t.Helper()
	for what, n := range map[string]int{
		"goroutines": f.goroutines - before.goroutines - someGoroutines, "descriptors": f.descriptors - before.descriptors,
		"children": f.children - before.children, "folders": f.folders - before.folders,
	} {
		if n > 0 {
			t.Errorf("%s grew: %d too many", what, n)
		}
	}
	if n := f.heap - before.heap; n > maxHeapGrowth {
		t.Errorf("the host's heap grew by %d KiB", n>>10)
	}
}

// TestSoak is trap 19 and every leak: processes killed again and again, and calls
// without end, leave the host as it was.
//
// It is traps 12 and 19 of docs/connector-traps.md.
func TestSoak(t *testing.T) {
	long(t)
	restarts, calls := soakCount(t, "ANTEROOM_SOAK_RESTARTS", 30), soakCount(t, "ANTEROOM_SOAK_CALLS", 20_000)
	clock := &shifted{}
	b := newBench(t, func(o *Options) { o.Now = clock.now }, "good")
	c := b.open(t, target("good"))
	b.soakRestarts(t, c, clock, max(5, restarts/10))
	b.soakCalls(t, c, calls/10)
	b.log.reset()

	before := b.footprint(t)
	t.Logf("before: %s", before)
	began := time.Now()
	b.soakRestarts(t, c, clock, restarts)
	b.log.reset()
	after := b.footprint(t)
	t.Logf("after %d restarts in %s: %s", restarts, time.Since(began).Round(time.Millisecond), after)
	after.check(t, before)

	b.soakCalls(t, c, calls/10) // the connector finds its size
	warm := b.footprint(t)
	began = time.Now()
	b.soakCalls(t, c, calls)
	b.log.reset()
	after = b.footprint(t)
	t.Logf("after %d calls in %s: %s", calls, time.Since(began).Round(time.Millisecond), after)
	after.check(t, before)
	if n := after.connector - warm.connector; n > maxConnectorGrowth {
		t.Errorf("the connector grew by %d KiB, from %s to %s", n>>10, warm, after)
	}
}

func (b *bench) soakRestarts(t *testing.T, c *Conn, clock *shifted, n int) {
	t.Helper()
	for range n {
		askAgain(t, c)
		clock.settle()
		if err := syscall.Kill(b.pid(t), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	askAgain(t, c)
}

// soakWorkers is how many calls are made at a time.
const soakWorkers = 8

func (b *bench) soakCalls(t *testing.T, c *Conn, n int) {
	t.Helper()
	new(timings).spread(t, n, soakWorkers, func(ctx context.Context) error {
		_, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "id", Value: "x"})
		return err
	})
}
