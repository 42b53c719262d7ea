package plugins

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Options configure a [Host]. The zero value of a duration means its default.
type Options struct {
	Dir  string // the folder of connectors
	Pins Pins
	// Dev runs connectors that nobody has pinned, and files that have changed
	// since. It is for development alone: it executes whatever lies in Dir.
	Dev bool
	// RuntimeDir holds this process's private folder for sockets; it is created,
	// and must belong to this user alone. "" means one beneath the system's
	// temporary folder.
	RuntimeDir string
	// Environ is this process's environment; connectors see an allow-listed part.
	Environ []string
	// Isolation says how connectors are confined.
	Isolation IsolationOptions
	Logger    *slog.Logger
	Now       func() time.Time

	// Crashes keeps reports of crashed processes; nil keeps none.
	Crashes Crashes

	StartTimeout  time.Duration // until a process answers; 10 s
	CallTimeout   time.Duration // of a call whose context has no deadline; 30 s
	HealthEvery   time.Duration // between checks of an idle process; 5 s
	HealthTimeout time.Duration // of one check; 1 s
	IdleAfter     time.Duration // without a call, until a process is stopped; 15 min
	PinsEvery     time.Duration // between looks for changed pins of what is in use; 3 s
}

// maxMessage bounds one answer of a connector.
const maxMessage = 4 << 20

// maxMisses is how many health checks in a row a process may miss.
const maxMisses = 3

func (o Options) resolved() (Options, error) {
	var problems []error
	if o.Dir == "" {
		problems = append(problems, errors.New("connectors: the folder (Dir) is not set"))
	}
	if o.Pins == nil {
		problems = append(problems, errors.New("connectors: the store of pins (Pins) is not set"))
	}
	if o.Logger == nil || o.Now == nil {
		problems = append(problems, errors.New("connectors: Logger and Now must be set"))
	}
	problems = append(problems, o.Isolation.check())
	dir, err := filepath.Abs(o.Dir)
	problems = append(problems, err)
	o.Dir = dir
	if o.RuntimeDir == "" {
		o.RuntimeDir = filepath.Join(os.TempDir(), fmt.Sprintf("anteroom-%d", os.Geteuid()))
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&o.StartTimeout, 10 * time.Second},
		{&o.CallTimeout, 30 * time.Second},
		{&o.HealthEvery, 5 * time.Second},
		{&o.HealthTimeout, time.Second},
		{&o.IdleAfter, 15 * time.Minute},
		{&o.PinsEvery, 3 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	return o, errors.Join(problems...)
}
