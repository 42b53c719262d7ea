package serve

import (
	"bufio"
	"io"
	"os"
	"regexp"
)

// handshakeLine is go-plugin's announcement of its address.
var handshakeLine = regexp.MustCompile(`\d+\|\d+\|(unix|tcp)\|[^|]*\|grpc\|.*\n?$`)

// guardHandshake lets go-plugin's handshake line alone reach the real standard
// output. File descriptor 1 becomes standard error, for libraries and children;
// os.Stdout becomes a pipe for as long as go-plugin needs it, and what others
// print there meanwhile goes to standard error too.
func guardHandshake() error {
	host, err := redirectStdout()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	os.Stdout = w
	go sortLines(r, host, os.Stderr)
	return nil
}

// sortLines sends the first handshake line of r to host and everything else to
// rest.
func sortLines(r io.Reader, host, rest io.Writer) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if at := handshakeLine.FindStringIndex(line); at != nil {
			_, _ = io.WriteString(rest, line[:at[0]])
			_, _ = io.WriteString(host, line[at[0]:])
			break
		}
		_, _ = io.WriteString(rest, line)
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(rest, lines)
}
