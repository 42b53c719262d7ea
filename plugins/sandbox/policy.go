package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is what a confined program may do beyond computing and using the
// descriptors it is given. What is not listed is forbidden, as far as the level
// reaches. Paths that do not exist are left out; a path stands for everything
// beneath it.
type Policy struct {
	Read    []string `json:"read"`    // may be read and listed
	Execute []string `json:"execute"` // may be executed as well
	Write   []string `json:"write"`   // may be read and changed, but not executed
	// Connect holds the TCP ports that may be connected to. None may be listened
	// on.
	Connect []uint16 `json:"connect"`
	// Processes bounds the processes and threads of the user it runs as. It is for
	// programs with a user of their own; 0 means no bound.
	Processes uint64 `json:"processes,omitempty"`
	// Require refuses to start the program at any lower level; the zero Level
	// takes what there is.
	Require Level `json:"require"`
}

// Level is how far a program is confined.
type Level struct {
	// Limits means no new privileges, no capabilities and resource limits.
	Limits  bool `json:"limits"`
	Seccomp bool `json:"seccomp"` // dangerous system calls are refused
	// Landlock is the version of the kernel's interface for rules on files and
	// ports that is in force; 0 means none. Ports need 4, signals 6.
	Landlock int `json:"landlock"`
	UID      int `json:"uid"` // the user of its own; 0 means the host's
}

// String returns the level's parts, as in "no_new_privs+rlimits+seccomp+landlock
// ABI 7"; "none" if there are none.
func (l Level) String() string {
	var parts []string
	if l.Limits {
		parts = append(parts, "no_new_privs+rlimits")
	}
	if l.Seccomp {
		parts = append(parts, "seccomp")
	}
	if l.Landlock > 0 {
		parts = append(parts, fmt.Sprintf("landlock ABI %d", l.Landlock))
	}
	if l.UID > 0 {
		parts = append(parts, fmt.Sprintf("uid %d", l.UID))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "+")
}

// Covers reports whether l is at least want in every part.
func (l Level) Covers(want Level) bool {
	return (l.Limits || !want.Limits) && (l.Seccomp || !want.Seccomp) && l.Landlock >= want.Landlock &&
		(want.UID == 0 || l.UID == want.UID)
}

// The least versions of Landlock that have rules for ports, and for all that
// [Full] asks for.
const (
	landlockPorts  = 4
	landlockScopes = 6
)

// Full is the level that holds a hostile program: every part, with rules for
// files, ports, signals and abstract sockets.
func Full() Level { return Level{Limits: true, Seccomp: true, Landlock: landlockScopes} }

// HasPorts reports whether the ports of a policy are in force at this level.
func (l Level) HasPorts() bool { return l.Landlock >= landlockPorts }

// Default returns the policy of a program that talks TLS to the outside: it finds
// certificates, names, zones and shared libraries, and may connect to the ports
// of the web, of LDAP and of DNS.
func Default() Policy {
	return Policy{Read: slices.Concat(certificates(), names(), system()), Execute: libraries(), Connect: []uint16{53, 80, 389, 443, 636}}
}

// Interpreters are where what runs a script lies.
func Interpreters() []string { return []string{"/usr/bin", "/bin", "/usr/local", "/usr/share"} }

func certificates() []string {
	return []string{
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki",
	}
}

// names holds folders beside the files, because a file that is replaced is a new
// one to Landlock.
func names() []string {
	return []string{
		"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
		"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf",
	}
}

func system() []string {
	return []string{
		"/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
		"/dev/urandom", "/dev/random", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime",
		"/proc/version", "/proc/loadavg", "/proc/filesystems", "/proc/sys/net", "/proc/sys/vm", "/sys/kernel/mm", "/sys/devices/system/cpu",
		"/sys/devices/system/node", "/sys/fs/cgroup",
	}
}

func libraries() []string {
	return []string{"/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/usr/libexec"}
}
