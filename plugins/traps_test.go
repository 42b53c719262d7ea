package plugins

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestHugeRequest is trap 15 the other way: a connector's own library refuses
// requests above 4 MiB, before they can have had an effect.
func TestHugeRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	_, err := c.Target().Create(t.Context(), sdk.CreateRequest{Attributes: sdk.Attributes{"photo": strings.Repeat("x", 5<<20)}})
	if e := sdk.AsError(err); e == nil || !strings.Contains(e.Message, "larger than max") {
		t.Errorf("Create = %v, want the request refused", err)
	}
	if again := ask(t, c, "x"); again != pid {
		t.Error("the process was lost with the request")
	}
}

// TestReattachAndBrokerAreNotUsed is traps 20 and 21: nothing of the library's
// configuration turns them on.
func TestReattachAndBrokerAreNotUsed(t *testing.T) {
	c := clientConfig(Options{}, nil, "")
	if c.Reattach != nil || c.SecureConfig != nil || c.GRPCBrokerMultiplex || c.Cmd != nil {
		t.Errorf("client configuration: %+v", c)
	}
}

// TestTrapsAreTested holds docs/connector-traps.md to the tests: every trap has
// tests that exist and say its number, or a reason why it does not apply.
func TestTrapsAreTested(t *testing.T) {
	raw, err := os.ReadFile("../docs/connector-traps.md")
	if err != nil {
		t.Fatal(err)
	}
	comments := testComments(t, "..")
	var numbers []int
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		number, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		numbers = append(numbers, number)
		tests := testName.FindAllString(cells[3], -1)
		if len(tests) == 0 && !strings.Contains(cells[3], "does not apply") {
			t.Errorf("trap %d has neither a test nor a reason", number)
		}
		for _, name := range tests {
			switch comment, exists := comments[name]; {
			case !exists:
				t.Errorf("trap %d: there is no %s", number, name)
			case !slices.Contains(trapsIn(comment), number):
				t.Errorf("trap %d: the comment of %s does not name it:\n%s", number, name, comment)
			}
		}
	}
	if want := countTo(26); !reflect.DeepEqual(numbers, want) {
		t.Errorf("the table has the traps %v, want %v", numbers, want)
	}
}

var (
	testName    = regexp.MustCompile(`\bTest[A-Z]\w+`)
	testSource  = regexp.MustCompile(`(?m)((?:^//.*\n)*)^func (Test\w+)\(`)
	trapMention = regexp.MustCompile(`(?i)\btraps? (\d+(?:(?:, | and )\d+)*)`)
	digits      = regexp.MustCompile(`\d+`)
)

func countTo(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// testComments returns the comment of every test of the host and the SDK.
func testComments(t *testing.T, root string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, pattern := range []string{"plugins/*_test.go", "plugins/*/*_test.go", "sdk/*_test.go", "sdk/*/*_test.go"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testSource.FindAllStringSubmatch(string(raw), -1) {
				comments[m[2]] = m[1]
			}
		}
	}
	return comments
}

// trapsIn returns the numbers that a comment names, as in "traps 3, 4 and 5".
func trapsIn(comment string) []int {
	var out []int
	text := strings.ReplaceAll(comment, "\n// ", " ")
	for _, m := range trapMention.FindAllStringSubmatch(text, -1) {
		for _, d := range digits.FindAllString(m[1], -1) {
			n, _ := strconv.Atoi(d)
			out = append(out, n)
		}
	}
	return out
}
