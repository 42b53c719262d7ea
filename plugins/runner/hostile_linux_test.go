package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// facts is what a hostile child is told, in a file in its home folder.
type facts struct {
	HostPID     int
	Secret      string // a file that anybody may read, outside
	Outside     string // a folder that anybody may write to, outside
	Allowed     string // an address whose port may be connected to
	Foreign     string // one whose port may not
	ForeignPort int
	Abstract    string // an abstract socket of the host's
	Socket      string // a socket file of the host's
}

// childHostile tries everything and prints what came of it, a line each.
func childHostile() {
	raw, err := os.ReadFile("facts.json")
	if err != nil {
		panic(err)
	}
	var f facts
	if err := json.Unmarshal(raw, &f); err != nil {
		panic(err)
	}
	attempts := map[string]func(facts) error{}
	for _, group := range []map[string]func(facts) error{fileAttempts(), processAttempts(), kernelAttempts(), networkAttempts()} {
		for name, attempt := range group {
			attempts[name] = attempt
		}
	}
	for name, attempt := range attempts {
		text := "done"
		if err := attempt(f); err != nil {
			text = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintf(os.Stderr, "%s=%s\n", name, text)
	}
}

func reading(path func(facts) string) func(facts) error {
	return func(f facts) error {
		_, err := os.ReadFile(path(f))
		return err
	}
}

func fixed(path string) func(facts) string { return func(facts) string { return path } }

func fileAttempts() map[string]func(facts) error {
	return map[string]func(facts) error{
		"read /etc/shadow":     reading(fixed("/etc/shadow")),
		"read /etc/passwd":     reading(fixed("/etc/passwd")),
		"read a key file":      reading(func(f facts) string { return f.Secret }),
		"read hosts (allowed)": reading(fixed("/etc/hosts")),
		"list /": func(facts) error {
			_, err := os.ReadDir("/")
			return err
		},
		"write outside": func(f facts) error { return os.WriteFile(filepath.Join(f.Outside, "x"), nil, 0o600) },
		"write /dev/shm": func(facts) error {
			return os.WriteFile("/dev/shm/anteroom-hostile-test", nil, 0o600)
		},
		"remove outside":         func(f facts) error { return os.Remove(f.Secret) },
		"write inside (allowed)": func(facts) error { return os.WriteFile(filepath.Join(os.TempDir(), "x"), nil, 0o600) },
		"write a huge file":      writeHuge,
		"run a shell":            func(facts) error { return exec.Command("/bin/sh", "-c", "true").Run() },
		"run what it wrote": func(facts) error {
			path := filepath.Join(os.TempDir(), "own")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
				return err
			}
			return exec.Command(path).Run()
		},
		"open many files": func(facts) error {
			for {
				fd, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
				if err != nil || fd > 4096 {
					_ = unix.CloseRange(100, 1<<20, 0)
					return err
				}
			}
		},
	}
}

func writeHuge(facts) error {
	f, err := os.Create(filepath.Join(os.TempDir(), "huge"))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(1 << 40)
}

func processAttempts() map[string]func(facts) error {
	of := func(name string) func(facts) string {
		return func(f facts) string { return fmt.Sprintf("/proc/%d/%s", f.HostPID, name) }
	}
	return map[string]func(facts) error{
		"read the host's environment": reading(of("environ")),
		"read the host's command":     reading(of("cmdline")),
		"read the host's memory": func(f facts) error {
			m, err := os.Open(of("mem")(f))
			if err != nil {
				return err
			}
			return m.Close()
		},
		"list processes": func(facts) error {
			_, err := os.ReadDir("/proc")
			return err
		},
		"trace the host": func(f facts) error { return unix.PtraceSeize(f.HostPID) },
		"copy the host's memory": func(f facts) error {
			var b [8]byte
			_, err := unix.ProcessVMReadv(f.HostPID, []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x1000, Len: 8}}, 0)
			return err
		},
		"signal the host": func(f facts) error { return syscall.Kill(f.HostPID, 0) },
		"take the host's descriptor": func(f facts) error {
			fd, err := unix.PidfdOpen(f.HostPID, 0)
			if err != nil {
				return err
			}
			_, err = unix.PidfdGetfd(fd, 1, 0)
			return err
		},
		"leave the session": func(facts) error { _, err := unix.Setsid(); return err },
		"leave the group":   func(facts) error { return unix.Setpgid(0, 0) },
		"become root": func(facts) error {
			if err := syscall.Setuid(0); err != nil {
				return err
			}
			return unix.Chroot(os.TempDir())
		},
		"keep a capability": func(facts) error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&header, &data[0]); err != nil {
				return err
			}
			if data == [2]unix.CapUserData{} {
				return errors.New("none")
			}
			return nil
		},
		"get new privileges": func(facts) error {
			if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); n != 1 {
				return err
			}
			return errors.New("none")
		},
		"raise the core limit": func(facts) error {
			return syscall.Setrlimit(unix.RLIMIT_CORE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20})
		},
	}
}

// call makes a system call with arguments that are harmless where it is allowed.
func call(number uintptr, args ...uintptr) func(facts) error {
	return func(facts) error {
		var a [3]uintptr
		copy(a[:], args)
		if _, _, errno := unix.Syscall(number, a[0], a[1], a[2]); errno != 0 {
			return errno
		}
		return nil
	}
}

func kernelAttempts() map[string]func(facts) error {
	attempts := map[string]func(facts) error{
		"unshare the user": call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		"unshare the net":  call(unix.SYS_UNSHARE, unix.CLONE_NEWNET),
		"join a namespace": call(unix.SYS_SETNS, 0, 0),
		"clone into a namespace": func(facts) error {
			cmd := exec.Command("/proc/self/exe")
			cmd.Args[0], cmd.SysProcAttr = "grandchild", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
			return cmd.Start()
		},
		"mount":                 func(facts) error { return unix.Mount("none", os.TempDir(), "tmpfs", 0, "") },
		"load a program":        call(unix.SYS_BPF, 0, 0, 0),
		"set up io_uring":       call(unix.SYS_IO_URING_SETUP, 1, 0),
		"handle page faults":    call(unix.SYS_USERFAULTFD, 0),
		"open a counter":        call(unix.SYS_PERF_EVENT_OPEN, 0),
		"read a key ring":       call(unix.SYS_KEYCTL, 0, 0),
		"load a module":         call(unix.SYS_FINIT_MODULE, 0, 0),
		"load a kernel":         call(unix.SYS_KEXEC_LOAD, 0, 0),
		"read the kernel's log": call(unix.SYS_SYSLOG, 10, 0),
	}
	return attempts
}

func networkAttempts() map[string]func(facts) error {
	dial := func(network string, address func(facts) string) func(facts) error {
		return func(f facts) error {
			c, err := net.DialTimeout(network, address(f), patience)
			if err != nil {
				return err
			}
			return c.Close()
		}
	}
	socket := func(family, kind, protocol int) func(facts) error {
		return func(facts) error {
			fd, err := unix.Socket(family, kind, protocol)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		}
	}
	return map[string]func(facts) error{
		"connect (allowed)":          dial("tcp", func(f facts) string { return f.Allowed }),
		"connect to a foreign port":  dial("tcp", func(f facts) string { return f.Foreign }),
		"connect to a hidden socket": dial("unix", func(f facts) string { return f.Abstract }),
		"connect by fast open":       fastOpen,
		"listen": func(facts) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			return l.Close()
		},
		"open a multipath socket": socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"open an SCTP socket":     socket(unix.AF_INET, unix.SOCK_SEQPACKET, 0),
		"open a raw socket":       socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
		"open a packet socket":    socket(unix.AF_PACKET, unix.SOCK_RAW, 0),
		"open a VM socket":        socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
	}
}

// fastOpen sends data with the connection's first packet, which asks no rule for
// connecting.
func fastOpen(f facts) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: f.ForeignPort, Addr: [4]byte{127, 0, 0, 1}})
}

// childForkBomb starts processes until it cannot, and says how many.
func childForkBomb() {
	count, err := 0, error(nil)
	for ; count < 2000; count++ {
		cmd := exec.Command("/proc/self/exe")
		cmd.Args[0] = "grandchild"
		if err = cmd.Start(); err != nil {
			break
		}
	}
	fmt.Fprintf(os.Stderr, "started=%d %v\n", count, err)
	<-time.After(patience)
}

// childAbort asks for a core dump.
func childAbort() {
	debug.SetTraceback("crash")
	panic("dump me")
}

// outcomes reads what childHostile printed.
func outcomes(lines []string) map[string]string {
	out := map[string]string{}
	for _, line := range lines {
		if name, text, ok := strings.Cut(line, "="); ok {
			out[name] = text
		}
	}
	return out
}
