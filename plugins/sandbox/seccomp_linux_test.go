//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// decide runs the filter as the kernel would. The library's machine reads in the
// order of the network, so the data is laid out for that.
func decide(t *testing.T, arch, number uint32, args ...uint32) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(filter())
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[numberAt:], number)
	binary.BigEndian.PutUint32(data[archAt:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[argumentAt+8*i:], a)
	}
	result, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(result)
}

func refusal(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

func TestFilter(t *testing.T) {
	cases := map[string]struct {
		number uint32
		args   []uint32
		want   uint32
	}{
		"read":               {unix.SYS_READ, nil, unix.SECCOMP_RET_ALLOW},
		"execve":             {unix.SYS_EXECVE, nil, unix.SECCOMP_RET_ALLOW},
		"a thread":           {unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_THREAD}, unix.SECCOMP_RET_ALLOW},
		"a user namespace":   {unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_NEWUSER}, refusal(unix.EPERM)},
		"clone3":             {unix.SYS_CLONE3, nil, refusal(unix.ENOSYS)},
		"TCP":                {unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, 0}, unix.SECCOMP_RET_ALLOW},
		"TCP by its number":  {unix.SYS_SOCKET, []uint32{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP}, unix.SECCOMP_RET_ALLOW},
		"UDP":                {unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP}, unix.SECCOMP_RET_ALLOW},
		"local":              {unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}, unix.SECCOMP_RET_ALLOW},
		"interfaces":         {unix.SYS_SOCKET, []uint32{unix.AF_NETLINK, unix.SOCK_RAW, 0}, unix.SECCOMP_RET_ALLOW},
		"Multipath TCP":      {unix.SYS_SOCKET, []uint32{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, refusal(unix.EPROTONOSUPPORT)},
		"SMC":                {unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_STREAM, 256}, refusal(unix.EPROTONOSUPPORT)},
		"SCTP":               {unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_SEQPACKET, 0}, refusal(unix.EPROTONOSUPPORT)},
		"virtual machine":    {unix.SYS_SOCKET, []uint32{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, refusal(unix.EAFNOSUPPORT)},
		"kernel cryptograph": {unix.SYS_SOCKET, []uint32{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, refusal(unix.EAFNOSUPPORT)},
		"sending":            {unix.SYS_SENDTO, []uint32{3, 0, 5, unix.MSG_NOSIGNAL}, unix.SECCOMP_RET_ALLOW},
		"fast open":          {unix.SYS_SENDTO, []uint32{3, 0, 5, unix.MSG_FASTOPEN | unix.MSG_NOSIGNAL}, refusal(unix.EOPNOTSUPP)},
		"fast open, message": {unix.SYS_SENDMSG, []uint32{3, 0, unix.MSG_FASTOPEN}, refusal(unix.EOPNOTSUPP)},
		"fast open, many":    {unix.SYS_SENDMMSG, []uint32{3, 0, 1, unix.MSG_FASTOPEN}, refusal(unix.EOPNOTSUPP)},
	}
	for name, c := range cases {
		if got := decide(t, auditArch, c.number, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
	for _, number := range denied() {
		if got := decide(t, auditArch, number); got != refusal(unix.EPERM) {
			t.Errorf("system call %d: %#x, want EPERM", number, got)
		}
	}
}

// TestFilterHasNoOtherDoor: calls by the numbers of another processor, where a
// denied call has a number that is not on the list, are all refused.
func TestFilterHasNoOtherDoor(t *testing.T) {
	const ptrace32 = 26
	for arch, number := range map[uint32]uint32{
		unix.AUDIT_ARCH_I386: ptrace32, unix.AUDIT_ARCH_ARM: ptrace32, auditArch: foreignNumbers + unix.SYS_GETPID,
	} {
		if got := decide(t, arch, number); got != refusal(unix.ENOSYS) {
			t.Errorf("processor %#x, system call %d: %#x, want ENOSYS", arch, number, got)
		}
	}
}
