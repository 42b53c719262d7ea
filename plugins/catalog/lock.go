package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// lockVersion is the version of the lock file's format.
const lockVersion = 1

const maxLock = 1 << 20

// Locked is one approved connector in a lock file.
type Locked struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Digest       string `json:"digest"`
	SchemaDigest string `json:"schema_digest"`
}

// Lock is a lock file: which connectors may run where configuration is code. It
// is an approval like a pin, that of whoever reviewed the file.
type Lock struct {
	LockVersion int      `json:"lock_version"`
	Connectors  []Locked `json:"connectors"`
}

// NewLock returns the lock file of the connectors.
func NewLock(connectors []Locked) Lock { return Lock{lockVersion, connectors} }

// ParseLock reads a lock file. The error is [ErrLock] and names every field that
// is wrong.
func ParseLock(raw []byte) (Lock, error) {
	var l Lock
	err := fmt.Errorf("larger than %d bytes", maxLock)
	if len(raw) <= maxLock {
		err = decodeStrict(raw, &l)
	}
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return Lock{}, fmt.Errorf("%w: %w", ErrLock, err)
	}
	return l, nil
}

func (l Lock) check() error {
	if l.LockVersion != lockVersion {
		return fmt.Errorf("lock_version: is %d, this version reads %d", l.LockVersion, lockVersion)
	}
	var problems []error
	if l.Connectors == nil {
		problems = append(problems, errors.New("connectors: required; [] approves none"))
	}
	seen := map[string]bool{}
	for i, c := range l.Connectors {
		at := fmt.Sprintf("connectors[%d]", i)
		if !ValidName(c.Name) {
			problems = append(problems, fmt.Errorf("%s.name: must be lower-case letters, digits and -, at most 32", at))
		}
		if seen[c.Name] {
			problems = append(problems, fmt.Errorf("%s.name: %s is there twice", at, c.Name))
		}
		seen[c.Name] = true
		if c.Version == "" || len(c.Version) > 200 || !printable(c.Version) {
			problems = append(problems, fmt.Errorf("%s.version: required", at))
		}
		if !validDigest.MatchString(c.Digest) {
			problems = append(problems, fmt.Errorf("%s.digest: must be a SHA-256 in lower-case hexadecimal", at))
		}
		if !validDigest.MatchString(c.SchemaDigest) {
			problems = append(problems, fmt.Errorf("%s.schema_digest: must be a SHA-256 in lower-case hexadecimal", at))
		}
	}
	return errors.Join(problems...)
}

// Find returns the entry of a connector.
func (l Lock) Find(name string) (Locked, bool) {
	for _, c := range l.Connectors {
		if c.Name == name {
			return c, true
		}
	}
	return Locked{}, false
}

// Text returns the file: one order, so that two of them differ only where they
// differ.
func (l Lock) Text() []byte {
	l.Connectors = slices.SortedFunc(slices.Values(l.Connectors), func(a, b Locked) int { return cmp.Compare(a.Name, b.Name) })
	if l.Connectors == nil {
		l.Connectors = []Locked{}
	}
	raw, _ := json.MarshalIndent(l, "", "  ") // strings and numbers always encode
	return append(raw, '\n')
}
