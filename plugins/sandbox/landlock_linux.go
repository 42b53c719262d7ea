package sandbox

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// maxLandlock is the newest interface that restrict makes use of.
const maxLandlock = 10

// landlockABI returns the version of the kernel's interface, 0 if there is none.
func landlockABI() int {
	version, err := ll.LandlockGetABIVersion()
	if err != nil || version < 0 {
		return 0
	}
	return min(version, maxLandlock)
}

// Rights on files; those on folders only are not given for a file.
const (
	fileRights = ll.AccessFSExecute | ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate
	readRights = ll.AccessFSReadFile | ll.AccessFSReadDir
	// writeRights lacks Execute: what a program has written it may not run.
	writeRights = readRights | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile |
		ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSock | ll.AccessFSMakeFifo | ll.AccessFSMakeSym
	// referABI is the first version that can allow moving between folders.
	referABI = 2
)

// restrict puts the policy's rules in force for every thread.
func restrict(p Policy, abi int) error {
	if abi == 0 {
		return errors.New("the kernel has no Landlock")
	}
	writing := landlock.AccessFSSet(writeRights)
	if abi >= referABI {
		writing |= ll.AccessFSRefer
	}
	var rules []landlock.Rule
	rules = append(rules, pathRules(readRights, p.Read)...)
	rules = append(rules, pathRules(readRights|ll.AccessFSExecute, p.Execute)...)
	rules = append(rules, pathRules(writing, p.Write)...)
	rules = append(rules, pathRules(ll.AccessFSReadFile|ll.AccessFSWriteFile|ll.AccessFSTruncate, []string{os.DevNull})...)
	for _, port := range p.Connect {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	// Names are asked for over UDP, from any port.
	rules = append(rules, landlock.BindUDP(0), landlock.ConnectSendUDP(dnsPort))
	if err := landlock.V10.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("restrict files and ports: %w", err)
	}
	return nil
}

const dnsPort = 53

// pathRules leaves out what does not exist.
func pathRules(rights landlock.AccessFSSet, paths []string) []landlock.Rule {
	var rules []landlock.Rule
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		r := rights
		if !info.IsDir() {
			r &= fileRights
		}
		rules = append(rules, landlock.PathAccess(r, path).IgnoreIfMissing())
	}
	return rules
}
