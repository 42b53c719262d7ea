package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func protocolDoc(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/connector-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestProtocolDocNamesEverything keeps the document and the protocol together:
// every call, message and field, every kind with its code, and whatever else a
// connector in another language must know by name.
func TestProtocolDocNamesEverything(t *testing.T) {
	doc := protocolDoc(t)
	need := func(what, name string) {
		t.Helper()
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("the document does not name the %s `%s`", what, name)
		}
	}
	file := connectorv1.File_sdk_wire_connectorv1_connector_proto
	calls := file.Services().Get(0).Methods()
	for i := range calls.Len() {
		need("call", string(calls.Get(i).Name()))
	}
	eachMessage(file.Messages(), func(m protoreflect.MessageDescriptor) {
		need("message", string(m.Name()))
		fields := m.Fields()
		for i := range fields.Len() {
			need("field of "+string(m.Name()), string(fields.Get(i).Name()))
		}
	})
	for _, name := range declaredIn(t, "../sdk/errors.go", "Kind") {
		need("kind", name)
	}
	for _, name := range declaredIn(t, "../sdk/errors.go", "Effect") {
		need("effect", name)
	}
	for _, kind := range []string{"Capability", "FieldType", "AttributeType"} {
		for _, name := range declaredIn(t, "../sdk/description.go", kind) {
			need(kind, name)
		}
	}
	h := wire.Handshake()
	for _, name := range []string{h.MagicCookieKey, h.MagicCookieValue, wire.LifelineEnv, "traceparent", "tracestate", string(file.Package()), "INSTANCE_NOT_CONFIGURED"} {
		need("name", name)
	}
}

func eachMessage(messages protoreflect.MessageDescriptors, do func(protoreflect.MessageDescriptor)) {
	for i := range messages.Len() {
		if m := messages.Get(i); !m.IsMapEntry() {
			do(m)
			eachMessage(m.Messages(), do)
		}
	}
}

// declaredIn returns the values of the constants of a type.
func declaredIn(t *testing.T, path, typ string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^\s+\w+\s+`+typ+`\s+= "(\w+)"`).FindAllStringSubmatch(string(b), -1) {
		out = append(out, m[1])
	}
	if len(out) < 3 {
		t.Fatalf("found only the %s constants %q in %s", typ, out, path)
	}
	return out
}

// TestProtocolDocTablesTheKinds reads the table of failures and compares each
// kind's code with what the wire answers.
func TestProtocolDocTablesTheKinds(t *testing.T) {
	doc := protocolDoc(t)
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `?([A-Z_]+|–)`? \\|").FindAllStringSubmatch(doc, -1) {
		rows[m[1]] = m[2]
	}
	for _, name := range declaredIn(t, "../sdk/errors.go", "Kind") {
		code, ok := wire.CodeOf(sdk.Kind(name))
		want := "–"
		if ok {
			want = protoCode(code.String())
		}
		if rows[name] != want {
			t.Errorf("the table says %q of %s, the wire says %s", rows[name], name, want)
		}
	}
}

// protoCode writes a code as the specification does.
func protoCode(s string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(s, "${1}_$2"))
}
