package catalog

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/anteroom-id/anteroom/sdk"
)

// Pack writes the package of a program in dir that describes itself as d, as a
// .tar.gz, and returns its manifest. files are paths of what lies beside the
// program. The same input gives the same bytes.
func Pack(w io.Writer, dir string, d sdk.Description, licence string, egress []Egress, files []string) (Manifest, error) {
	m := Manifest{
		Name: d.Name, Version: d.Version, Protocols: []int{Protocol}, OS: runtime.GOOS, Arch: runtime.GOARCH,
		SchemaDigest: SchemaDigest(d), Capabilities: append([]sdk.Capability{}, d.Capabilities...),
		Egress: append([]Egress{}, egress...), Licence: licence,
	}
	program, err := os.ReadFile(filepath.Join(dir, m.Program()))
	if err != nil {
		return Manifest{}, fmt.Errorf("pack connector: %w", err)
	}
	if bytes.HasPrefix(program, []byte("#!")) {
		m.OS, m.Arch = AnySystem, AnySystem
	}
	m.Digest = digestOf(program)
	contents := map[string][]byte{m.Program(): program}
	for _, path := range files {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return Manifest{}, fmt.Errorf("pack connector: %w", err)
		}
		m.Files = append(m.Files, File{filepath.ToSlash(path), digestOf(raw)})
		contents[filepath.ToSlash(path)] = raw
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Manifest{}, fmt.Errorf("pack connector: %w", err)
	}
	if _, err := ParseManifest(text); err != nil {
		return Manifest{}, err
	}
	return m, writePackage(w, m, append(text, '\n'), contents)
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// writePackage puts the manifest first, without times or owners.
func writePackage(w io.Writer, m Manifest, manifest []byte, contents map[string][]byte) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	put := func(name string, mode int64, raw []byte) error {
		err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(raw)), Format: tar.FormatPAX})
		if err == nil {
			_, err = archive.Write(raw)
		}
		return err
	}
	err := errors.Join(put(ManifestName, 0o644, manifest), put(m.Program(), 0o755, contents[m.Program()]))
	for _, f := range m.Files {
		err = errors.Join(err, put(f.Path, 0o644, contents[f.Path]))
	}
	if err = errors.Join(err, archive.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("pack connector: %w", err)
	}
	return nil
}

// ParseEgress reads "host:port" or "host:port,port".
func ParseEgress(text string) (Egress, error) {
	var e Egress
	wrong := fmt.Errorf("%q: want host:port, such as api.example.com:443", text)
	i := bytes.LastIndexByte([]byte(text), ':')
	if i < 0 {
		return e, wrong
	}
	e.Host = text[:i]
	if err := json.Unmarshal([]byte("["+text[i+1:]+"]"), &e.Ports); err != nil {
		return e, wrong
	}
	if problems := (Manifest{Egress: []Egress{e}}).checkEgress(); len(problems) > 0 {
		return e, wrong
	}
	return e, nil
}
