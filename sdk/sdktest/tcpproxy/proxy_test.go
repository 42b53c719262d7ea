package tcpproxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk/sdktest/tcpproxy"
)

// echo answers each line with itself and counts them.
func echo(t *testing.T) (addr string, lines *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines = &atomic.Int32{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					line, err := in.ReadBytes('\n')
					if err != nil {
						return
					}
					lines.Add(1)
					_, _ = conn.Write(line)
				}
			}()
		}
	}()
	return listener.Addr().String(), lines
}

func dial(t *testing.T, p *tcpproxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a line and reads one.
func ask(conn net.Conn, line string, wait time.Duration) (string, error) {
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	answer := make([]byte, 100)
	n, err := conn.Read(answer)
	return string(bytes.TrimSpace(answer[:n])), err
}

func has(word string) tcpproxy.Match {
	return func(request []byte) bool { return bytes.Contains(request, []byte(word)) }
}

func TestPass(t *testing.T) {
	addr, _ := echo(t)
	p := tcpproxy.Start(t, addr)
	conn := dial(t, p)
	for _, line := range []string{"one", "two"} {
		if got, err := ask(conn, line, time.Minute); got != line || err != nil {
			t.Fatalf("asked %q, got %q, %v", line, got, err)
		}
	}
	if n, two := p.Count(nil), p.Count(has("two")); n != 2 || two != 1 {
		t.Errorf("counted %d requests, %d of them two; want 2 and 1", n, two)
	}
}

// TestFaults says of each fault what the client sees and whether the upstream
// got the request.
func TestFaults(t *testing.T) {
	const brief = 50 * time.Millisecond
	tests := map[string]struct {
		fault  tcpproxy.Fault
		answer string
		err    error
		worked int32
	}{
		"pass":       {tcpproxy.Pass(), "write", nil, 1},
		"delay":      {tcpproxy.Delay(time.Millisecond), "write", nil, 1},
		"drop reply": {tcpproxy.DropReply(), "", io.EOF, 1},
		"hang reply": {tcpproxy.HangReply(), "", os.ErrDeadlineExceeded, 1},
		"hang":       {tcpproxy.Hang(), "", os.ErrDeadlineExceeded, 0},
		"reset":      {tcpproxy.Reset(), "", syscall.ECONNRESET, 0},
		"answer":     {tcpproxy.Answer([]byte("nonsense")), "nonsense", nil, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			addr, lines := echo(t)
			p := tcpproxy.Start(t, addr)
			p.Script(has("write"), test.fault)
			conn := dial(t, p)
			if got, err := ask(conn, "read", time.Minute); got != "read" || err != nil {
				t.Fatalf("a request that does not match got %q, %v", got, err)
			}
			wait := time.Minute
			if errors.Is(test.err, os.ErrDeadlineExceeded) {
				wait = brief
			}
			got, err := ask(conn, "write", wait)
			if got != test.answer || !errors.Is(err, test.err) {
				t.Errorf("the client got %q, %v; want %q, %v", got, err, test.answer, test.err)
			}
			if n := lines.Load() - 1; n != test.worked {
				t.Errorf("the upstream got the request %d times, want %d", n, test.worked)
			}
			if got, err := ask(dial(t, p), "write", time.Minute); got != "write" || err != nil {
				t.Errorf("after the script: got %q, %v", got, err)
			}
		})
	}
}

func TestRefuseAndCut(t *testing.T) {
	addr, _ := echo(t)
	p := tcpproxy.Start(t, addr)
	conn := dial(t, p)
	if _, err := ask(conn, "hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Refuse(true)
	// The reset may come before the dialler has looked, or after.
	if refused, err := net.Dial("tcp", p.Addr); err == nil {
		if got, err := ask(refused, "hello", time.Minute); err == nil {
			t.Errorf("a refused connection answered %q", got)
		}
		_ = refused.Close()
	}
	if _, err := ask(conn, "hello", time.Minute); err != nil {
		t.Errorf("the connection that stood: %v", err)
	}
	p.Cut()
	if got, err := ask(conn, "hello", time.Minute); err == nil {
		t.Errorf("a cut connection answered %q", got)
	}
	p.Refuse(false)
	if _, err := ask(dial(t, p), "hello", time.Minute); err != nil {
		t.Errorf("let in again: %v", err)
	}
}

func TestAwait(t *testing.T) {
	addr, _ := echo(t)
	p := tcpproxy.Start(t, addr)
	p.Script(nil, tcpproxy.Hang())
	go func() { _, _ = ask(dial(t, p), "held", time.Minute) }()
	p.Await(t, has("held"), 1)
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections stand, want 1", n)
	}
}
