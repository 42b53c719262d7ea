package sandbox

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// CanSwitchUser returns an error that names the capabilities this process lacks
// to run a program as another user, to give it its folders and to end it.
func CanSwitchUser() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read own capabilities: %w", err)
	}
	var missing []string
	for _, c := range []struct {
		name string
		bit  uint
	}{
		{"CAP_SETUID", unix.CAP_SETUID}, {"CAP_SETGID", unix.CAP_SETGID}, {"CAP_CHOWN", unix.CAP_CHOWN}, {"CAP_KILL", unix.CAP_KILL},
		{"CAP_DAC_OVERRIDE", unix.CAP_DAC_OVERRIDE},
	} {
		if data[0].Effective&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("it lacks %s", strings.Join(missing, ", "))
	}
	return nil
}
