package sqldbtest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// files are the test binary's migrated SQLite databases, by what their lines say:
// migrating takes longer than many a test.
var files = struct {
	sync.Mutex
	byLines map[[sha256.Size]byte][]byte
}{byLines: map[[sha256.Size]byte][]byte{}}

// migrated returns an empty database, as a file's content, after the lines.
func migrated(t testing.TB, lines []sqldb.Line) []byte {
	t.Helper()
	key := digest(t, lines)
	files.Lock()
	defer files.Unlock()
	if content, ok := files.byLines[key]; ok {
		return content
	}
	path := filepath.Join(t.TempDir(), "migrated.db")
	db, err := sqldb.Open(t.Context(), sqliteURL(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), lines...); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // which writes the log into the file
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files.byLines[key] = content
	return content
}

// digest is of the lines' names and files.
func digest(t testing.TB, lines []sqldb.Line) [sha256.Size]byte {
	t.Helper()
	h := sha256.New()
	for _, line := range lines {
		_, _ = fmt.Fprintf(h, "%q", line.Name)
		err := fs.WalkDir(line.FS, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(line.FS, path)
			_, _ = fmt.Fprintf(h, "%q%q", path, text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
