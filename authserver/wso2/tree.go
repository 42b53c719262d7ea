package wso2

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a file: an export of one identity provider has some hundred nodes.
const (
	maxSize  = 4 << 20 // bytes
	maxDepth = 32
	maxNodes = 50000
)

// node is a member of a JSON object or an XML element; both forms have the same
// names, with the first letter in either case. The elements of an array are
// nodes of the array's name.
type node struct {
	name     string
	text     string
	pieces   []byte // of the text, while it is read
	children []*node
}

// parse reads a file of either form.
func parse(raw []byte) (*node, error) {
	if len(raw) > maxSize {
		return nil, fmt.Errorf("the file is larger than %d MiB", maxSize>>20)
	}
	b := &builder{root: &node{}}
	b.path = []*node{b.root}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	var err error
	switch start := bytes.TrimSpace(raw); {
	case bytes.HasPrefix(start, []byte("<")):
		err = b.xml(raw)
	case bytes.HasPrefix(start, []byte("{")):
		err = b.json(raw)
	default:
		err = errors.New("the file is neither JSON nor XML")
	}
	if err != nil {
		return nil, err
	}
	return b.root, nil
}

type builder struct {
	root  *node
	path  []*node // from the root to the open node
	nodes int
}

func (b *builder) open(name string) error {
	b.nodes++
	if b.nodes > maxNodes || len(b.path) > maxDepth {
		return errors.New("the file is nested too deep, or has too many parts")
	}
	n := &node{name: name}
	top := b.path[len(b.path)-1]
	top.children = append(top.children, n)
	b.path = append(b.path, n)
	return nil
}

func (b *builder) close() { b.path = b.path[:len(b.path)-1] }

func (b *builder) top() *node { return b.path[len(b.path)-1] }

// xml refuses what an export never has and an attack needs: document type
// declarations, and with them entities.
func (b *builder) xml(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the XML is not well-formed: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(b.path) == 1 && len(b.root.children) > 0 {
				return errors.New("the XML has two root elements")
			}
			err = b.open(t.Name.Local)
		case xml.EndElement:
			b.top().text = strings.TrimSpace(string(b.top().pieces))
			b.close()
		case xml.CharData:
			b.top().pieces = append(b.top().pieces, t...) // comments part a text
		case xml.Directive:
			err = errors.New("the XML has a document type declaration, which is refused")
		case xml.ProcInst:
			if t.Target != "xml" {
				err = errors.New("the XML has processing instructions, which are refused")
			}
		}
		if err != nil {
			return err
		}
	}
	if len(b.root.children) != 1 {
		return errors.New("the XML has no root element")
	}
	return nil
}

func (b *builder) json(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := b.value(d, ""); err != nil {
		return fmt.Errorf("the JSON cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something comes after the JSON")
	}
	// The one value is the root.
	b.root = b.root.children[0]
	return nil
}

// value reads one value, and an array as values of its name.
func (b *builder) value(d *json.Decoder, name string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token == json.Delim('[') {
		return b.array(d, name)
	}
	if err := b.open(name); err != nil {
		return err
	}
	defer b.close()
	switch t := token.(type) {
	case json.Delim:
		return b.members(d)
	case nil:
	default:
		b.top().text = fmt.Sprint(t)
	}
	return nil
}

func (b *builder) array(d *json.Decoder, name string) error {
	b.nodes++ // arrays in arrays are no nodes, and must end somewhere
	if b.nodes > maxNodes {
		return errors.New("it has too many parts")
	}
	for d.More() {
		if err := b.value(d, name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (b *builder) members(d *json.Decoder) error {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := b.value(d, fmt.Sprint(name)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// is compares a name without regard to case: IdentityProviderName in one form is
// identityProviderName in another.
func (n *node) is(names ...string) bool {
	for _, name := range names {
		if strings.EqualFold(n.name, name) {
			return true
		}
	}
	return false
}

// child returns the first child of one of the names, nil for none.
func (n *node) child(names ...string) *node {
	for _, c := range n.children {
		if c.is(names...) {
			return c
		}
	}
	return nil
}

// value returns the text of the first child of one of the names.
func (n *node) value(names ...string) string {
	if c := n.child(names...); c != nil {
		return strings.TrimSpace(c.text)
	}
	return ""
}
