package daemon

import (
	"net"
	"testing"
	"time"
)

// A server whose listener fails ends with the error, background and all: a
// supervisor can then start it anew.
func TestServeEndsWithItsListener(t *testing.T) {
	s := openSystem(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(t.Context(), listener) }()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Serve returned no error though its listener failed")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Serve goes on without a listener")
	}
}
