package runner

import (
	"errors"
	"os"
)

// pipe is one of the child's standard streams, seen from both ends.
type pipe struct {
	host, child *os.File
}

// pipes are the child's standard streams. They are plain files, so that waiting
// for the process does not mean waiting for everybody who holds one of them.
type pipes struct {
	stdin, stdout, stderr pipe
}

func openPipes() (*pipes, error) {
	var p pipes
	var errs [3]error
	p.stdin.child, p.stdin.host, errs[0] = os.Pipe()
	p.stdout.host, p.stdout.child, errs[1] = os.Pipe()
	p.stderr.host, p.stderr.child, errs[2] = os.Pipe()
	if err := errors.Join(errs[:]...); err != nil {
		p.close()
		return nil, err
	}
	return &p, nil
}

// highest returns the highest descriptor the child is given.
func (p *pipes) highest() uintptr {
	return max(p.stdin.child.Fd(), p.stdout.child.Fd(), p.stderr.child.Fd())
}

// closeChildEnds closes what the child has its own copies of.
func (p *pipes) closeChildEnds() {
	for _, f := range []*os.File{p.stdin.child, p.stdout.child, p.stderr.child} {
		_ = f.Close() // a nil or closed file is an error without effect
	}
}

// close closes both ends of all; readers that wait return.
func (p *pipes) close() {
	p.closeChildEnds()
	for _, f := range []*os.File{p.stdin.host, p.stdout.host, p.stderr.host} {
		_ = f.Close()
	}
}
