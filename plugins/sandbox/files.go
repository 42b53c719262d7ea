package sandbox

import (
	"os"
	"strings"
)

// Files are the single files of a policy that are replaced while programs run,
// such as the one with the name servers. A rule is about the file that was there:
// its successor, of the same name, is closed to the program.
type Files map[string]os.FileInfo

// Files returns them as they are now.
func (p Policy) Files() Files {
	files := Files{}
	for _, path := range p.Read {
		if !strings.HasPrefix(path, "/etc/") {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files[path] = info
		}
	}
	return files
}

// Replaced returns the path of a file that is another by now, "" if none is. One
// that is gone is none: there is nothing to be read.
func (f Files) Replaced() string {
	for path, was := range f {
		if now, err := os.Stat(path); err == nil && !os.SameFile(was, now) {
			return path
		}
	}
	return ""
}
