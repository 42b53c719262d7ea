//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// denied are the system calls that no connector needs and that reach beyond it:
// into other processes, into the kernel, or out of its confinement. They fail
// with EPERM.
func denied() []uint32 {
	return slices.Concat([]uint32{
		// Other processes.
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
		// The kernel's own machines, each with a history of holes.
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_FANOTIFY_INIT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_SYSLOG,
		// Mounts and namespaces.
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN,
		unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_UNSHARE, unix.SYS_SETNS,
		unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
		// The machine.
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_REBOOT,
		unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME,
		unix.SYS_ADJTIMEX, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP,
		// Leaving the process group, which ends with the program.
		unix.SYS_SETSID, unix.SYS_SETPGID,
	}, deniedHere())
}

// The offsets of seccomp_data: seccomp(2). An argument has 64 bits, the lower
// half first on the processors this is built for.
const (
	numberAt   = 0
	archAt     = 4
	argumentAt = 16
)

func argument(n int) bpf.Instruction {
	return bpf.LoadAbsolute{Off: uint32(argumentAt + 8*n), Size: 4}
}

func fail(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

func allow() bpf.Instruction { return bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW} }

// filter returns the whole program. A call by another processor's numbers, such
// as 32-bit ones, would pass by any list, so there are none.
func filter() []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: archAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		fail(unix.ENOSYS),
		bpf.LoadAbsolute{Off: numberAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: foreignNumbers, SkipTrue: 1},
		fail(unix.ENOSYS),
	}
	for _, number := range denied() {
		program = append(program, on(number, fail(unix.EPERM))...)
	}
	program = append(program, on(unix.SYS_CLONE, unlessFlags(0, namespaces, unix.EPERM)...)...)
	// Its flags lie in memory, which a filter cannot see; libraries fall back to
	// clone.
	program = append(program, on(unix.SYS_CLONE3, fail(unix.ENOSYS))...)
	program = append(program, on(unix.SYS_SOCKET, socketRule()...)...)
	// Data sent while connecting passes by Landlock's rules on connecting.
	program = append(program, on(unix.SYS_SENDTO, unlessFlags(3, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	program = append(program, on(unix.SYS_SENDMSG, unlessFlags(2, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	program = append(program, on(unix.SYS_SENDMMSG, unlessFlags(3, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	return append(program, allow())
}

const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS |
	unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// on runs a rule, which ends in a return, for one system call.
func on(number uint32, rule ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: number, SkipFalse: uint8(len(rule))}}, rule...)
}

// unlessFlags refuses a call that has any of the flags in an argument.
func unlessFlags(n int, flags uint32, errno unix.Errno) []bpf.Instruction {
	return []bpf.Instruction{
		argument(n),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: flags, SkipFalse: 1},
		fail(errno),
		allow(),
	}
}

// socketRule leaves local sockets, TCP and UDP. Every other way to the network
// (Multipath TCP, SCTP, SMC, virtual machine sockets, raw packets) passes by
// Landlock's rules on ports.
func socketRule() []bpf.Instruction {
	const typeMask = 0xf // beside flags such as SOCK_CLOEXEC
	return []bpf.Instruction{
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 2, SkipFalse: 1},
		allow(),
		fail(unix.EAFNOSUPPORT),
		argument(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: typeMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_STREAM, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_DGRAM, SkipFalse: 4},
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: 1},
		fail(unix.EPROTONOSUPPORT),
		allow(),
	}
}

// loadFilter puts the filter in force for the calling thread and what it
// executes. It needs no_new_privs.
func loadFilter() error {
	raw, err := bpf.Assemble(filter())
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(code)
	if errno != 0 {
		return fmt.Errorf("load filter: %w", errno)
	}
	return nil
}

// filterAvailable reports whether the kernel takes a filter of this kind.
func filterAvailable() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}
