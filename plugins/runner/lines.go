package runner

import "bytes"

// lineWriter cuts a stream into lines and never holds more than max bytes of
// one: the rest of a longer line is counted and dropped.
type lineWriter struct {
	max  int
	emit func(line []byte, dropped int) // must not keep the slice

	buf     []byte
	dropped int
}

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		w.add(line)
		if !found {
			return n, nil
		}
		w.end()
		p = rest
	}
}

// flush emits what is left without a newline.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.end()
	}
}

func (w *lineWriter) add(b []byte) {
	room := min(w.max-len(w.buf), len(b))
	w.buf = append(w.buf, b[:room]...)
	w.dropped += len(b) - room
}

func (w *lineWriter) end() {
	w.emit(bytes.TrimSuffix(w.buf, []byte{'\r'}), w.dropped)
	w.buf, w.dropped = w.buf[:0], 0
}
