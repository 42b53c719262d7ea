package connectorv1

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

var update = flag.Bool("update", false, "write what was added to the protocol into testdata/v1.txt")

const frozen = "testdata/v1.txt"

// TestProtocolIsFrozen compares the protocol with the list of everything that was
// ever released of version 1: nothing of it may be missing or different. What is
// new is added to the list with
//
//	go test ./sdk/wire/connectorv1 -update
//
// and from then on stays.
func TestProtocolIsFrozen(t *testing.T) {
	b, err := os.ReadFile(frozen)
	if err != nil {
		t.Fatal(err)
	}
	released := strings.Split(strings.TrimSpace(string(b)), "\n")
	now := listing(File_sdk_wire_connectorv1_connector_proto)
	for _, line := range released {
		if !slices.Contains(now, line) {
			t.Errorf("released and now gone or changed: %s", line)
		}
	}
	added := slices.DeleteFunc(now, func(line string) bool { return slices.Contains(released, line) })
	if len(added) == 0 || t.Failed() {
		return
	}
	if !*update {
		t.Fatalf("new in the protocol, not in %s yet:\n%s", frozen, strings.Join(added, "\n"))
	}
	all := append(released, added...)
	slices.Sort(all)
	if err := os.WriteFile(frozen, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing is one line for everything both ends must agree on.
func listing(file protoreflect.FileDescriptor) []string {
	var out []string
	messages := file.Messages()
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		if fields.Len() == 0 {
			out = append(out, string(messages.Get(i).FullName()))
		}
		for j := range fields.Len() {
			out = append(out, fieldLine(fields.Get(j)))
		}
	}
	calls := file.Services().Get(0).Methods()
	for i := range calls.Len() {
		c := calls.Get(i)
		out = append(out, fmt.Sprintf("%s(%s) returns (%s), streams %v %v",
			c.FullName(), c.Input().FullName(), c.Output().FullName(), c.IsStreamingClient(), c.IsStreamingServer()))
	}
	slices.Sort(out)
	return out
}

func fieldLine(f protoreflect.FieldDescriptor) string {
	typ := f.Kind().String()
	switch {
	case f.IsMap():
		typ = fmt.Sprintf("map of %s to %s", f.MapKey().Kind(), f.MapValue().Kind())
	case f.Message() != nil:
		typ = string(f.Message().FullName())
	}
	return fmt.Sprintf("%s = %d, %s %s, presence %v", f.FullName(), f.Number(), f.Cardinality(), typ, f.HasPresence())
}
