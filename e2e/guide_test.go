package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

// TestConnectorGuide follows docs/connector-guide.md word for word in an empty
// folder, once in each language: what stands there in blocks of commands is what
// is run, and at the address it gives a browser registers.
func TestConnectorGuide(t *testing.T) {
	long(t)
	for _, lang := range []string{"go", "node"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			followGuide(t, newReader(t, lang))
		})
	}
}

func followGuide(t *testing.T, r *reader) {
	began, last := time.Now(), ""
	for _, b := range r.blocks(t) {
		switch {
		case b.has("sign-in"):
			callback := r.signIn(t, strings.TrimSpace(b.text))
			if q := callback.Query(); q.Get("code") == "" || q.Get("state") != "guide" {
				t.Fatalf("the sign-in ended at %s", callback)
			}
		case b.has("terminal"):
			r.background(t, b)
		default:
			last = r.run(t, b.text)
		}
	}
	for _, want := range []string{"in_sync", `"login":"ada"`, `"given_name":"Ada"`} {
		if !strings.Contains(last, want) {
			t.Errorf("the guide ends with this, which lacks %s:\n%s", want, last)
		}
	}
	t.Logf("from the first command to the account: %s", time.Since(began).Round(100*time.Millisecond))
}

// block is a fenced block of the guide: the words behind the fence, and its text.
type block struct {
	words []string
	text  string
}

func (b block) has(word string) bool {
	_, ok := b.value(word)
	return ok
}

// value returns what stands behind "word=", "" for the word alone.
func (b block) value(word string) (string, bool) {
	for _, w := range b.words {
		if name, value, _ := strings.Cut(w, "="); name == word {
			return value, true
		}
	}
	return "", false
}

var (
	// fence matches a block, in a quotation or not.
	fence     = regexp.MustCompile("(?ms)^(?:> )?```([^\n]+)\n(.*?)^(?:> )?```$")
	quotation = regexp.MustCompile(`(?m)^> ?`)
)

// reader is one person on the way through the guide.
type reader struct {
	lang         string
	start        string   // the empty folder
	state        string   // where the first terminal keeps what folder it is in
	env          []string // of every terminal
	server, fake string   // free addresses in place of the guide's
}

func newReader(t *testing.T, lang string) *reader {
	t.Helper()
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{lang: lang, start: t.TempDir(), state: filepath.Join(t.TempDir(), "folder"), server: freeAddress(t), fake: freeAddress(t)}
	r.env = append(os.Environ(), "CI=", "GOFLAGS=", "GOWORK=off", "ANTEROOM="+source, "ADDRESS="+r.fake,
		"PATH="+buildDir(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return r
}

// blocks returns what this person follows, in order.
func (r *reader) blocks(t *testing.T) []block {
	t.Helper()
	addresses := strings.NewReplacer("127.0.0.1:8080", r.server, "127.0.0.1:9911", r.fake)
	other := map[string]string{"go": "node", "node": "go"}[r.lang]
	var blocks []block
	for _, m := range fence.FindAllStringSubmatch(readDoc(t, "docs/connector-guide.md"), -1) {
		b := block{strings.Fields(addresses.Replace(m[1])), addresses.Replace(quotation.ReplaceAllString(m[2], ""))}
		if !b.has(other) && !b.has("setup") {
			blocks = append(blocks, b)
		}
	}
	if len(blocks) != 9 {
		t.Fatalf("the guide has %d blocks to follow in %s, want 9", len(blocks), r.lang)
	}
	return blocks
}

// run enters a block into the first terminal, which stays in the folder that the
// block leaves it in. The packages of npm ci are there already.
func (r *reader) run(t *testing.T, text string) string {
	t.Helper()
	if before, after, ok := strings.Cut(text, "npm ci\n"); ok {
		r.run(t, before)
		peers.LinkPackages(t, r.folder(t))
		return r.run(t, after)
	}
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", text+"\npwd > "+r.state)
	cmd.Dir, cmd.Env = r.folder(t), r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the guide's commands fail: %v\n%s\n%s", err, text, out)
	}
	return string(out)
}

// folder is where the first terminal is.
func (r *reader) folder(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(r.state)
	if errors.Is(err, fs.ErrNotExist) {
		return r.start
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// background enters a block into a terminal of its own and waits until something
// answers at the address it names.
func (r *reader) background(t *testing.T, b block) {
	t.Helper()
	cmd := exec.Command("bash", "-c", b.text)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.start, r.env, t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience // for what a killed group leaves behind
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	address, _ := b.value("until")
	eventually(t, fmt.Sprintf("an answer of %q", address), func() bool {
		res, err := http.Get(address)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return true
	})
}

// signIn registers as the guide says and returns where the browser ended.
func (r *reader) signIn(t *testing.T, address string) *url.URL {
	t.Helper()
	b := newBrowser()
	b.Stop = func(u *url.URL) bool { return u.Host == "127.0.0.1:9090" }
	return arrive(t, b, register(t, b, address, "ada"))
}
