package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// ManifestName is the file that makes a folder or an archive a connector's
// package.
const ManifestName = "connector.json"

// Protocol is the version of the connector protocol that this host speaks.
const Protocol = 1

// AnySystem stands for every operating system or architecture: a script's.
const AnySystem = "any"

const (
	maxManifest = 1 << 20
	maxFiles    = 4096
	maxPath     = 255
	maxEgress   = 64
)

// Manifest is connector.json: what a package says of itself. An admin decides by
// it, and the host holds the program to it.
type Manifest struct {
	Name      string `json:"name"`
	Version   string `json:"version"`   // semantic version
	Protocols []int  `json:"protocols"` // versions of the connector protocol it speaks
	OS        string `json:"os"`        // as Go names it, or "any"
	Arch      string `json:"arch"`      // as Go names it, or "any"
	// Digest is the SHA-256 of the program, the file anteroom-connector-NAME.
	Digest string `json:"digest"`
	// SchemaDigest is the [SchemaDigest] of its configuration and attributes.
	SchemaDigest string           `json:"schema_digest"`
	Capabilities []sdk.Capability `json:"capabilities"`
	Egress       []Egress         `json:"egress"` // what it connects to
	Licence      string           `json:"licence"`
	// Files are what lies beside the program, such as a script's modules. What is
	// not listed is refused.
	Files []File `json:"files,omitempty"`
}

// Egress is where a connector connects to.
type Egress struct {
	// Host is a name, "*.example.com" for all names beneath one, or "*" when only
	// the target's configuration tells.
	Host  string `json:"host"`
	Ports []int  `json:"ports"`
}

// String returns "host:port,port".
func (e Egress) String() string {
	return e.Host + ":" + strings.Trim(strings.ReplaceAll(fmt.Sprint(e.Ports), " ", ","), "[]")
}

// File is one file beside the program.
type File struct {
	Path   string `json:"path"` // relative, with slashes
	SHA256 string `json:"sha256"`
}

// Program is the name of the file that is executed.
func (m Manifest) Program() string { return Prefix + m.Name }

// ParseManifest reads a manifest. The error is [ErrPackage] and names every field
// that is wrong.
func ParseManifest(raw []byte) (Manifest, error) {
	var m Manifest
	err := fmt.Errorf("larger than %d bytes", maxManifest)
	if len(raw) <= maxManifest {
		err = decodeStrict(raw, &m)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %s: %w", ErrPackage, ManifestName, err)
	}
	return m, nil
}

// check reports every field that is wrong.
func (m Manifest) check() error {
	var problems []error
	wrong := func(bad bool, field, text string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("%s: %s", field, fmt.Sprintf(text, args...)))
		}
	}
	wrong(!ValidName(m.Name), "name", "must be lower-case letters, digits and -, at most 32")
	wrong(!validVersion.MatchString(m.Version), "version", "must be a semantic version such as 1.2.3")
	wrong(len(m.Protocols) == 0 || len(m.Protocols) > 16, "protocols", "must list the protocol versions it speaks, such as [1]")
	wrong(!validSystem.MatchString(m.OS), "os", "must be a system such as linux, or any")
	wrong(!validSystem.MatchString(m.Arch), "arch", "must be an architecture such as amd64, or any")
	wrong(!validDigest.MatchString(m.Digest), "digest", "must be the SHA-256 of %s in lower-case hexadecimal", m.Program())
	wrong(!validDigest.MatchString(m.SchemaDigest), "schema_digest", "must be a SHA-256 in lower-case hexadecimal")
	wrong(m.Capabilities == nil, "capabilities", "required; [] for none")
	wrong(m.Egress == nil, "egress", "required; [] for none")
	wrong(m.Licence == "" || len(m.Licence) > 128 || !printable(m.Licence), "licence", "must be an SPDX expression such as Apache-2.0")
	for i, c := range m.Capabilities {
		wrong(!validKey.MatchString(string(c)) || len(c) > 64, fmt.Sprintf("capabilities[%d]", i), "is no capability")
		wrong(slices.Contains(m.Capabilities[:i], c), fmt.Sprintf("capabilities[%d]", i), "is there twice")
	}
	return errors.Join(append(append(problems, m.checkEgress()...), m.checkFiles()...)...)
}

var (
	validSystem = regexp.MustCompile(`^[a-z0-9]{1,16}$`)
	validHost   = regexp.MustCompile(`^(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$`)
)

func (m Manifest) checkEgress() []error {
	if len(m.Egress) > maxEgress {
		return []error{fmt.Errorf("egress: has more than %d entries", maxEgress)}
	}
	var problems []error
	for i, e := range m.Egress {
		if len(e.Host) > 253 || !validHost.MatchString(e.Host) {
			problems = append(problems, fmt.Errorf(`egress[%d].host: must be a host name, "*.domain" or "*"`, i))
		}
		if len(e.Ports) == 0 || len(e.Ports) > maxEgress {
			problems = append(problems, fmt.Errorf("egress[%d].ports: must list at least one port, at most %d", i, maxEgress))
		}
		for j, p := range e.Ports {
			if p < 1 || p > 65535 {
				problems = append(problems, fmt.Errorf("egress[%d].ports[%d]: must be a port from 1 to 65535", i, j))
			}
		}
	}
	return problems
}

func (m Manifest) checkFiles() []error {
	if len(m.Files) > maxFiles {
		return []error{fmt.Errorf("files: more than %d", maxFiles)}
	}
	var problems []error
	seen := map[string]bool{fold(m.Program()): true, fold(ManifestName): true}
	for i, f := range m.Files {
		field := fmt.Sprintf("files[%d]", i)
		if err := checkPath(f.Path); err != nil {
			problems = append(problems, fmt.Errorf("%s.path: %w", field, err))
		}
		if seen[fold(f.Path)] {
			problems = append(problems, fmt.Errorf("%s.path: is there twice, or is the program or the manifest", field))
		}
		seen[fold(f.Path)] = true
		if !validDigest.MatchString(f.SHA256) {
			problems = append(problems, fmt.Errorf("%s.sha256: must be a SHA-256 in lower-case hexadecimal", field))
		}
	}
	return problems
}

// checkPath allows what stays in the package on every system.
func checkPath(p string) error {
	switch {
	case p == "." || !fs.ValidPath(p) || path.Clean(p) != p || strings.ContainsAny(p, `\:`) || !printable(p):
		return fmt.Errorf("%q is no path within the package", p)
	case len(p) > maxPath:
		return fmt.Errorf("longer than %d bytes", maxPath)
	}
	return nil
}

// fold makes names equal that some file system takes for the same.
func fold(p string) string { return strings.ToLower(p) }

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// Fits reports whether this host can run the package: [ErrIncompatible].
func (m Manifest) Fits() error {
	var problems []error
	if !slices.Contains(m.Protocols, Protocol) {
		problems = append(problems, fmt.Errorf("it speaks protocol %v, this host speaks %d", m.Protocols, Protocol))
	}
	if m.OS != AnySystem && m.OS != runtime.GOOS {
		problems = append(problems, fmt.Errorf("it is made for the system %s, this is %s", m.OS, runtime.GOOS))
	}
	if m.Arch != AnySystem && m.Arch != runtime.GOARCH {
		problems = append(problems, fmt.Errorf("it is made for the architecture %s, this is %s", m.Arch, runtime.GOARCH))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("connector %s %s: %w: %w", m.Name, m.Version, ErrIncompatible, err)
	}
	return nil
}
