package catalog

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

const program = "#!/bin/sh\nexit 3\n"

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// contents is a valid package of a program, a library and the manifest.
func contents(t testing.TB, change func(map[string]any)) map[string]string {
	m := fields()
	m["digest"] = sha(program)
	m["files"] = []any{map[string]any{"path": "lib/a.js", "sha256": sha("a")}}
	if change != nil {
		change(m)
	}
	return map[string]string{"anteroom-connector-acme": program, "lib/a.js": "a", ManifestName: string(encode(t.(*testing.T), m))}
}

func asFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "package")
	for path, text := range files {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644))
	}
	return dir
}

// asTar writes the files, and then whatever headers a test adds.
func asTar(t *testing.T, files map[string]string, more ...*tar.Header) string {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	w := tar.NewWriter(zipped)
	for path, text := range files {
		must(t, w.WriteHeader(&tar.Header{Name: "./" + path, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		must(t, err)
	}
	for _, h := range more {
		must(t, w.WriteHeader(h))
	}
	_ = w.Close() // an error when a header promised more than comes
	must(t, zipped.Close())
	return save(t, "package.tar.gz", buf.Bytes())
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func asZip(t *testing.T, files map[string]string, change func(*zip.FileHeader)) string {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for path, text := range files {
		h := &zip.FileHeader{Name: path, Method: zip.Deflate}
		h.SetMode(0o644)
		if change != nil {
			change(h)
		}
		f, err := w.CreateHeader(h)
		must(t, err)
		_, err = io.WriteString(f, text)
		must(t, err)
	}
	must(t, w.Close())
	return save(t, "package.zip", buf.Bytes())
}

func save(t *testing.T, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, raw, 0o644))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// left lists everything in the folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return out
}

func TestInstall(t *testing.T) {
	sources := map[string]func(*testing.T) string{
		"folder": func(t *testing.T) string { return asFolder(t, contents(t, nil)) },
		"tar": func(t *testing.T) string {
			return asTar(t, contents(t, nil), &tar.Header{Name: "./", Typeflag: tar.TypeDir})
		},
		"zip": func(t *testing.T) string { return asZip(t, contents(t, nil), nil) },
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			f := Folder{t.TempDir()}
			for range 2 { // the second time it is there already
				e, err := f.Install(source(t))
				if err != nil {
					t.Fatal(err)
				}
				at := "sha256/" + e.Digest[:2] + "/" + e.Digest + "/"
				if e.Name != "acme" || e.Digest != e.Meta.Content() || e.Path != filepath.Join(f.Dir, at, "anteroom-connector-acme") {
					t.Errorf("Install = %+v", e)
				}
				if got := strings.Join(left(t, f.Dir), " "); got != at+"anteroom-connector-acme "+at+"connector.json "+at+"lib/a.js" {
					t.Errorf("the folder holds %s", got)
				}
				for path, mode := range map[string]fs.FileMode{"anteroom-connector-acme": 0o555, "connector.json": 0o444, "lib/a.js": 0o444, "lib": 0o755, ".": 0o755} {
					info, err := os.Stat(filepath.Join(f.Dir, at, path))
					if err != nil || info.Mode().Perm() != mode {
						t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, mode)
					}
				}
			}
			p, err := f.Open("acme", "")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if text, err := io.ReadAll(p); string(text) != program || err != nil || p.Meta.Version != "1.2.3" || !filepath.IsAbs(p.Name()) {
				t.Errorf("Open = %q, %v, %+v", text, err, p)
			}
		})
	}
}

// Whatever is refused leaves nothing.
func TestInstallRefuses(t *testing.T) {
	with := func(path, text string) map[string]string {
		files := contents(t, nil)
		files[path] = text
		return files
	}
	without := func(path string) map[string]string {
		files := contents(t, nil)
		delete(files, path)
		return files
	}
	linked := asFolder(t, without("lib/a.js"))
	must(t, os.Symlink("../connector.json", filepath.Join(linked, "lib")))
	fifo := asFolder(t, without("lib/a.js"))
	must(t, syscall.Mkfifo(filepath.Join(fifo, "lib"), 0o644))
	setuid := asFolder(t, contents(t, nil))
	must(t, os.Chmod(filepath.Join(setuid, "anteroom-connector-acme"), 0o755|fs.ModeSetuid))
	cases := []struct {
		name, path, want string
		kind             error
	}{
		{"unlisted file", asFolder(t, with("evil.js", "x")), `"evil.js" is not listed`, ErrPackage},
		{"missing file", asFolder(t, without("lib/a.js")), `"lib/a.js" is listed and not there`, ErrPackage},
		{"no manifest", asFolder(t, without(ManifestName)), "it has no connector.json", ErrPackage},
		{"no program", asFolder(t, without("anteroom-connector-acme")), "listed and not there", ErrPackage},
		{"tampered program", asFolder(t, with("anteroom-connector-acme", program+"x")), `of "anteroom-connector-acme", it is ` + sha(program+"x"), ErrDigestMismatch},
		{"tampered library", asTar(t, with("lib/a.js", "b")), `of "lib/a.js"`, ErrDigestMismatch},
		{"symbolic link", linked, "is a link or a device", ErrPackage},
		{"fifo", fifo, "is a link or a device", ErrPackage},
		{"setuid", setuid, "set-user-ID", ErrPackage},
		{"traversal", asTar(t, contents(t, nil), &tar.Header{Name: "../../evil", Mode: 0o644}), "no path within the package", ErrPackage},
		{"absolute", asTar(t, contents(t, nil), &tar.Header{Name: "/tmp/evil", Mode: 0o644}), "no path within the package", ErrPackage},
		{"link in tar", asTar(t, contents(t, nil), &tar.Header{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), "is a link", ErrPackage},
		{"hard link in tar", asTar(t, contents(t, nil), &tar.Header{Name: "l", Linkname: "lib/a.js", Typeflag: tar.TypeLink}), "is a hard link", ErrPackage},
		{"device in tar", asTar(t, contents(t, nil), &tar.Header{Name: "d", Typeflag: tar.TypeBlock}), "is a link or a device", ErrPackage},
		{"setuid in tar", asTar(t, contents(t, nil), &tar.Header{Name: "s", Mode: 0o4755}), "set-user-ID", ErrPackage},
		{"twice in tar", asTar(t, contents(t, nil), &tar.Header{Name: "LIB/A.js", Mode: 0o644}), "is there twice", ErrPackage},
		{"bomb", asTar(t, contents(t, nil), &tar.Header{Name: "zeros", Mode: 0o644, Size: maxPackage}), "more than 512 MiB", ErrPackage},
		{"setuid in zip", asZip(t, contents(t, nil), func(h *zip.FileHeader) { h.SetMode(0o755 | fs.ModeSetuid) }), "set-user-ID", ErrPackage},
		{"link in zip", asZip(t, contents(t, nil), func(h *zip.FileHeader) { h.SetMode(0o777 | fs.ModeSymlink) }), "is a link", ErrPackage},
		{"traversal in zip", asZip(t, with("../evil", "x"), nil), "no path within", ErrPackage},
		{"wrong system", asFolder(t, contents(t, func(m map[string]any) { m["os"] = "plan9" })), "made for the system plan9", ErrIncompatible},
		{"wrong protocol", asFolder(t, contents(t, func(m map[string]any) { m["protocols"] = []int{9} })), "speaks protocol [9]", ErrIncompatible},
		{"no archive", save(t, "x.tar.gz", []byte("hello, this is no archive")), "gzip", ErrPackage},
		{"no zip", save(t, "x.zip", []byte("hello")), "zip", ErrPackage},
		{"other file", save(t, "x.rar", nil), "neither a folder nor", ErrPackage},
		{"nothing", filepath.Join(t.TempDir(), "absent.zip"), "no such file", fs.ErrNotExist},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := Folder{t.TempDir()}
			if _, err := f.Install(c.path); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Install = %v, want %q", err, c.want)
			}
			if got := left(t, f.Dir); len(got) != 0 {
				t.Errorf("it left %v", got)
			}
		})
	}
}

// The bytes are counted as they come, whatever a header says.
func TestUnpackCountsBytes(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	u := newUnpacker(root)
	u.left = 10
	liar := func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeroReader{}, 1<<20)), nil }
	if err := u.entry("a", 0o644, 1, liar); !errors.Is(err, ErrPackage) {
		t.Errorf("a file longer than it said: %v", err)
	}
	u = newUnpacker(root)
	u.entries = 2 * maxFiles
	if err := u.entry("b", fs.ModeDir, 0, nil); !errors.Is(err, ErrPackage) {
		t.Errorf("one entry too many: %v", err)
	}
}

// An install that was killed leaves nothing that could be taken for a package,
// and is cleared away when it is certainly dead.
func TestKilledInstall(t *testing.T) {
	f := Folder{t.TempDir()}
	for name, age := range map[string]time.Duration{"unpacking-dead": 2 * abandoned, "unpacking-alive": 0} {
		dir := filepath.Join(f.Dir, storeDir, name)
		must(t, os.MkdirAll(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, ManifestName), nil, 0o444))
		must(t, os.Chtimes(dir, time.Now().Add(-age), time.Now().Add(-age)))
	}
	if entries, err := f.Entries(); len(entries) != 0 || err != nil {
		t.Errorf("Entries = %v, %v", entries, err)
	}
	_, err := f.Install(asFolder(t, contents(t, nil)))
	must(t, err)
	if got := strings.Join(left(t, f.Dir), " "); strings.Contains(got, "dead") || !strings.Contains(got, "alive") {
		t.Errorf("left: %s", got)
	}
}

// The same bytes with another manifest are not the same package.
func TestInstallOfTheSameFilesWithAnotherManifest(t *testing.T) {
	f := Folder{t.TempDir()}
	_, err := f.Install(asFolder(t, contents(t, nil)))
	must(t, err)
	_, err = f.Install(asFolder(t, contents(t, func(m map[string]any) { m["version"] = "6.6.6" })))
	if !errors.Is(err, ErrPackage) || !strings.Contains(err.Error(), "installed as acme 1.2.3") {
		t.Errorf("Install = %v", err)
	}
}

// What was changed in the store is noticed before it is executed.
func TestOpenNoticesATamperedStore(t *testing.T) {
	cases := map[string]struct {
		tamper func(t *testing.T, dir string)
		kind   error
	}{
		"library": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "lib/a.js"), []byte("b"), 0o444))
		}, ErrDigestMismatch},
		"added": {func(t *testing.T, dir string) { must(t, os.WriteFile(filepath.Join(dir, "b.js"), nil, 0o444)) }, ErrPackage},
		"manifest": {func(t *testing.T, dir string) {
			m := fields()
			m["digest"] = sha("evil")
			must(t, os.WriteFile(filepath.Join(dir, ManifestName), encode(t, m), 0o444))
		}, ErrDigestMismatch},
		"writable": {func(t *testing.T, dir string) {
			must(t, os.Chmod(filepath.Join(dir, "anteroom-connector-acme"), 0o777))
		}, ErrUnsafeFile},
		"link": {func(t *testing.T, dir string) {
			must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "c.js")))
		}, ErrUnsafeFile},
		"no manifest": {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, ManifestName))) }, ErrPackage},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := Folder{t.TempDir()}
			e, err := f.Install(asFolder(t, contents(t, nil)))
			must(t, err)
			for _, file := range left(t, f.Dir) {
				must(t, os.Chmod(filepath.Join(f.Dir, file), 0o755))
			}
			c.tamper(t, filepath.Dir(e.Path))
			if err := f.Check("acme", e.Digest); !errors.Is(err, c.kind) {
				t.Errorf("Open = %v, want %v", err, c.kind)
			}
			if _, err := f.Install(asFolder(t, contents(t, nil))); name != "writable" && err == nil {
				t.Error("a second install took the tampered one for whole")
			}
		})
	}
}

func TestOpenChooses(t *testing.T) {
	f := Folder{t.TempDir()}
	one, err := f.Install(asFolder(t, contents(t, nil)))
	must(t, err)
	two, err := f.Install(asFolder(t, map[string]string{"anteroom-connector-acme": "two", ManifestName: contents(t, func(m map[string]any) {
		m["digest"], m["version"] = sha("two"), "2.0.0"
		delete(m, "files")
	})[ManifestName]}))
	must(t, err)
	if two.Digest != sha("two") {
		t.Errorf("digest of a package of one program = %s, want the program's", two.Digest)
	}
	if err := f.Check("acme", ""); !errors.Is(err, ErrSeveral) {
		t.Errorf("Open without a digest = %v", err)
	}
	open := func(digest string) *Program {
		t.Helper()
		p, err := f.Open("acme", digest)
		must(t, err)
		t.Cleanup(func() { _ = p.Close() })
		return p
	}
	if open(one.Digest).Meta.Version != "1.2.3" || open(two.Digest).Meta.Version != "2.0.0" {
		t.Error("another version was opened")
	}
	if err := f.Check("other", one.Digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("another name's package: %v", err)
	}
	must(t, os.WriteFile(f.plain("acme"), []byte(program), 0o755))
	if open("").Meta != nil || open(zeros).Meta != nil {
		t.Error("the plain file was not preferred, or not tried for a digest that is not installed")
	}
	versions, err := f.Versions("acme")
	if len(versions) != 2 || err != nil {
		t.Errorf("Versions = %v, %v", versions, err)
	}
	entries, err := f.Entries()
	if len(entries) != 3 || err != nil || entries[0].Meta != nil {
		t.Errorf("Entries = %+v, %v", entries, err)
	}
}

// FuzzInstall takes any bytes for an archive: it never leaves the folder and
// accepts nothing that does not verify.
func FuzzInstall(f *testing.F) {
	t := &testing.T{}
	var tarball, zipped bytes.Buffer
	gz := gzip.NewWriter(&tarball)
	tw, zw := tar.NewWriter(gz), zip.NewWriter(&zipped)
	for path, text := range contents(t, nil) {
		_ = tw.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text))})
		_, _ = io.WriteString(tw, text)
		w, _ := zw.Create(path)
		_, _ = io.WriteString(w, text)
	}
	_, _, _ = tw.Close(), gz.Close(), zw.Close()
	f.Add(tarball.Bytes(), false)
	f.Add(zipped.Bytes(), true)
	f.Fuzz(func(t *testing.T, raw []byte, isZip bool) {
		name := map[bool]string{true: "p.zip", false: "p.tgz"}[isZip]
		outer := t.TempDir()
		folder := Folder{filepath.Join(outer, "folder")}
		must(t, os.WriteFile(filepath.Join(outer, name), raw, 0o644))
		e, err := folder.Install(filepath.Join(outer, name))
		for _, path := range left(t, outer) {
			inStore := err == nil && strings.HasPrefix(filepath.Join(outer, path), filepath.Dir(e.Path)+"/")
			if path != name && !inStore {
				t.Errorf("Install = %v, and left %s", err, path)
			}
		}
		if err == nil {
			must(t, folder.Check(e.Name, e.Digest))
		}
	})
}

// What is packed installs, and packing it again gives the same bytes.
func TestPack(t *testing.T) {
	dir := asFolder(t, contents(t, nil))
	must(t, os.Remove(filepath.Join(dir, ManifestName)))
	d := sdk.Description{Name: "acme", Version: "1.2.3", Capabilities: []sdk.Capability{"get"}, Config: []sdk.Field{{Name: "url", Type: "string"}}}
	var one, two bytes.Buffer
	for _, w := range []io.Writer{&one, &two} {
		m, err := Pack(w, dir, d, "MIT", []Egress{{Host: "*", Ports: []int{443}}}, []string{"lib/a.js"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Agrees(d); err != nil || m.OS != AnySystem {
			t.Errorf("manifest %+v: %v", m, err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("packed twice, two packages")
	}
	f := Folder{t.TempDir()}
	if e, err := f.Install(save(t, "p.tgz", one.Bytes())); err != nil || e.Meta.Version != "1.2.3" || len(e.Meta.Files) != 1 {
		t.Errorf("Install = %+v, %v", e, err)
	}
	if _, err := Pack(io.Discard, dir, d, "", nil, nil); !errors.Is(err, ErrPackage) || !strings.Contains(err.Error(), "licence") {
		t.Errorf("Pack without a licence = %v", err)
	}
	if _, err := Pack(io.Discard, dir, d, "MIT", nil, []string{"../package/lib/a.js"}); !errors.Is(err, ErrPackage) {
		t.Errorf("Pack of a file from elsewhere = %v", err)
	}
}

func TestParseEgress(t *testing.T) {
	if e, err := ParseEgress("*.acme.com:443,8443"); err != nil || e.String() != "*.acme.com:443,8443" {
		t.Errorf("ParseEgress = %v, %v", e, err)
	}
	for _, text := range []string{"", "acme.com", "acme.com:", ":443", "a b:1", "acme.com:0", "acme.com:443]", `acme.com:"1"`} {
		if e, err := ParseEgress(text); err == nil {
			t.Errorf("ParseEgress(%q) = %v", text, e)
		}
	}
}
