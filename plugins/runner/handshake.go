package runner

import (
	"bytes"
	"regexp"
)

// handshakeLine is the shape of the one line that the library is shown. What is
// printed before it (a stray print in some package's start-up) is only logged.
var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|[a-z]+\|[^|]+`)

// handshake is the child's stdout as the library sees it: one line, then the
// end. One goroutine offers and ends it, one reads it; neither waits for the
// other to be there.
type handshake struct {
	ready chan struct{} // closed when line is final
	line  bytes.Reader
	done  bool // the writer's: ready is closed
}

// offer takes the line if it is the handshake and none was taken before.
func (h *handshake) offer(line []byte) bool {
	if h.done || !handshakeLine.Match(line) {
		return false
	}
	h.line.Reset(append(bytes.Clone(line), '\n'))
	h.end()
	return true
}

// end says that no handshake will come any more.
func (h *handshake) end() {
	if !h.done {
		h.done = true
		close(h.ready)
	}
}

// Read waits until there is a handshake, or there will be none.
func (h *handshake) Read(p []byte) (int, error) {
	<-h.ready
	return h.line.Read(p)
}

// Close has nothing to close: the pipe itself is read to its end in any case.
func (h *handshake) Close() error { return nil }
