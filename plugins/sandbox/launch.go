package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// marker is the name under which the launcher is started.
const marker = "anteroom-sandbox"

// statusFD is where the launcher reports. The descriptor closes when the program
// takes its place.
const statusFD = 3

// ProgramFD is the first descriptor that the launcher passes nothing on of: an
// executable handed over there is closed to the program.
const ProgramFD = 4

// exitFailed is the launcher's own exit code.
const exitFailed = 125

// launch is what the launcher is told.
type launch struct {
	Policy Policy   `json:"policy"`
	UID    int      `json:"uid"` // the user the host has started it as, if its own
	Path   string   `json:"path"`
	Args   []string `json:"args"`
}

// report is what the launcher says, at most twice: the level it reached, and why
// the program could not take its place.
type report struct {
	Level Level         `json:"level"`
	Error string        `json:"error,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
}

// Command returns the arguments under which this program's own binary becomes
// the confined program. The process needs the writing end of a pipe for
// [ReadStatus] as descriptor 3; descriptor [ProgramFD] may be what path names. Its
// environment is the program's. uid is the user it is started as, 0 for the
// host's own.
func Command(p Policy, uid int, path string, args []string) ([]string, error) {
	raw, err := json.Marshal(launch{Policy: p, UID: uid, Path: path, Args: args})
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return []string{marker, string(raw)}, nil
}

// ErrLevel means that the system cannot confine a program as far as required.
var ErrLevel = errors.New("the required isolation is not available")

// ReadStatus returns the level at which the program has started. It waits until
// the program runs, or the launcher has failed; the error wraps the launcher's
// system error, or ErrLevel.
func ReadStatus(r io.Reader) (Level, error) {
	dec := json.NewDecoder(r)
	var last report
	for n := 0; ; n++ {
		var next report
		switch err := dec.Decode(&next); {
		case errors.Is(err, io.EOF) && n > 0:
			return last.Level, nil
		case err != nil:
			return Level{}, errors.New("sandbox: the launcher ended before it could say why")
		case next.Error != "":
			return Level{}, next.err()
		}
		last = next
	}
}

func (r report) err() error {
	switch {
	case r.Errno != 0:
		return fmt.Errorf("sandbox: %s: %w", r.Error, r.Errno)
	case r.Level != Level{}:
		return fmt.Errorf("sandbox: %w: %s", ErrLevel, r.Error)
	}
	return fmt.Errorf("sandbox: %s", r.Error)
}
