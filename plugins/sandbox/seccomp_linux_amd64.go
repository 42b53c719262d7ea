package sandbox

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_X86_64
	// foreignNumbers is where the x32 numbers begin.
	foreignNumbers = 0x40000000
)

// deniedHere are the calls that only this processor has.
func deniedHere() []uint32 { return []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT} }
