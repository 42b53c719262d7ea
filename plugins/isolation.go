package plugins

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"

	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

// IsolationMode says what to do where connectors cannot be confined in full.
type IsolationMode string

// The modes. The empty one is IsolationBestEffort.
const (
	IsolationBestEffort IsolationMode = "best_effort" // as far as the system can
	IsolationRequired   IsolationMode = "required"    // in full, or not started
	IsolationOff        IsolationMode = "off"
)

// IsolationOptions say how connectors are confined. The zero value has no
// launcher, so that nothing can be confined.
type IsolationOptions struct {
	Mode IsolationMode
	// Launcher is a binary that calls [sandbox.Main] first thing; the host's own
	// as a rule, "/proc/self/exe".
	Launcher string
	// Ports may be connected to beside the usual ones, the ones that a target's
	// configuration names, and the proxy's.
	Ports []uint16
	// UIDs is the first and the last of a range of users that are nobody else's;
	// each connector runs as one of its own, and its group. Zero: as the host's
	// user. It takes the capabilities of [sandbox.CanSwitchUser].
	UIDs [2]int
}

// check reports every problem of the options.
func (o IsolationOptions) check() error {
	var problems []error
	if !slices.Contains([]IsolationMode{"", IsolationBestEffort, IsolationRequired, IsolationOff}, o.Mode) {
		problems = append(problems, fmt.Errorf("connectors: isolation mode %q", o.Mode))
	}
	if first, last := o.UIDs[0], o.UIDs[1]; o.UIDs != [2]int{} {
		if first < 1 || last < first {
			problems = append(problems, fmt.Errorf("connectors: users %d to %d: want a range above 0", first, last))
		} else if own := os.Geteuid(); first <= own && own <= last {
			problems = append(problems, fmt.Errorf("connectors: users %d to %d include the host's own", first, last))
		}
	}
	return errors.Join(problems...)
}

// Isolation is how far the connectors are confined that a host starts.
type Isolation struct {
	Mode  IsolationMode
	Level sandbox.Level // without the user
	UIDs  [2]int        // zero if connectors run as the host's user
	// Problem says what is missing, "" if nothing is, or nothing is wanted.
	Problem string
}

// String returns the level in words, and what is missing.
func (i Isolation) String() string {
	text := i.Level.String()
	if i.UIDs != [2]int{} {
		text += fmt.Sprintf("+uid %d-%d", i.UIDs[0], i.UIDs[1])
	}
	if i.Problem != "" {
		text += " (" + i.Problem + ")"
	}
	return text
}

// Isolation returns how far connectors are confined, in what mode, and why no
// further.
func (h *Host) Isolation() Isolation { return h.isolation }

// isolationOf finds out what the system can do of what is wanted.
func isolationOf(o IsolationOptions) Isolation {
	i := Isolation{Mode: o.Mode}
	if i.Mode == "" {
		i.Mode = IsolationBestEffort
	}
	switch {
	case i.Mode == IsolationOff:
		return i
	case o.Launcher == "":
		i.Problem = "there is no launcher"
		return i
	}
	i.Level = sandbox.Probe()
	switch {
	case !i.Level.Limits:
		i.Problem = "this system has no means to confine a program"
	case i.Level.Landlock == 0:
		i.Problem = "the kernel has no Landlock: files and ports are open"
	case !i.Level.HasPorts():
		i.Problem = "the kernel's Landlock has no rules for ports (Linux 6.7)"
	case !i.Level.Covers(sandbox.Full()):
		i.Problem = "the kernel lacks seccomp, or Landlock's rules for signals (Linux 6.12)"
	}
	if o.UIDs == ([2]int{}) {
		return i
	}
	if err := sandbox.CanSwitchUser(); err != nil {
		i.Problem = "connectors run as the host's user: " + err.Error()
	} else {
		i.UIDs = o.UIDs
	}
	return i
}

// confinement returns how a program is confined, nil if it is not. In required
// mode it returns ErrIsolation where something is missing.
func (h *Host) confinement(key programKey) (*runner.Confinement, error) {
	i := h.isolation
	if i.Mode == IsolationRequired && i.Problem != "" {
		return nil, fmt.Errorf("connector %s: %w: %s", key.name, ErrIsolation, i)
	}
	if i.Level == (sandbox.Level{}) {
		return nil, nil
	}
	uid, err := h.userOf(key.name)
	if err != nil {
		return nil, err
	}
	c := &runner.Confinement{Launcher: h.opts.Isolation.Launcher, Policy: sandbox.Default(), UID: uid}
	c.Policy.Connect = append(h.ports(), key.extraPorts()...)
	if uid != 0 {
		c.Policy.Processes = maxProcesses
	}
	if i.Mode == IsolationRequired {
		c.Policy.Require = sandbox.Full()
		c.Policy.Require.UID = uid
	}
	return c, nil
}

// maxProcesses bounds a connector's processes and threads, where it has a user
// of its own to count them by.
const maxProcesses = 256

// userOf returns the connector's user, 0 for the host's own. It is the same in
// every process with the same range unless two names share a place in it: then
// the later one takes the next that is free.
func (h *Host) userOf(name string) (int, error) {
	first, n := h.isolation.UIDs[0], h.isolation.UIDs[1]-h.isolation.UIDs[0]+1
	if first == 0 {
		return 0, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	place := fnv.New32a()
	_, _ = place.Write([]byte(name))
	for k := range n {
		uid := first + (int(place.Sum32()%uint32(n))+k)%n
		if owner, taken := h.users[uid]; !taken || owner == name {
			h.users[uid] = name
			return uid, nil
		}
	}
	return 0, fmt.Errorf("connector %s: %w: all %d users of the range are taken", name, ErrIsolation, n)
}
