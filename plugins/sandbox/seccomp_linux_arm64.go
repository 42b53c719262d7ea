package sandbox

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_AARCH64
	// foreignNumbers is beyond every number: this processor has one range.
	foreignNumbers = 0x80000000
)

// deniedHere are the calls that only this processor has.
func deniedHere() []uint32 { return nil }
