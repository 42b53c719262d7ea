package xacml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const (
	namespace    = "urn:oasis:names:tc:xacml:3.0:core:schema:wd-17"
	namespaceXSI = "http://www.w3.org/2001/XMLSchema-instance"
	namespaceXML = "http://www.w3.org/XML/1998/namespace"
)

// element is a part of a document with its place.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string
	place
}

// place is where something begins in a document.
type place struct {
	source string
	line   int // from 1
	column int // in bytes, from 1
}

func (p place) errorf(format string, args ...any) error {
	return &rules.Error{Source: p.source, Line: p.line, Column: p.column, Text: fmt.Sprintf(format, args...)}
}

// reader builds elements out of a document. It refuses document types, and with
// them entities, for which XACML has no use, and what is larger or deeper than
// any policy that somebody wrote.
type reader struct {
	place    // of the token at hand
	dec      *xml.Decoder
	open     []*element
	text     [][]byte // of the open elements
	root     *element
	elements int
}

// parse reads one document whole.
func parse(source string, doc []byte) (*element, error) {
	r := &reader{place: place{source: source, line: 1, column: 1}, dec: xml.NewDecoder(bytes.NewReader(doc))}
	if len(doc) > MaxDocument {
		return nil, r.errorf("the document has %d bytes, more than %d", len(doc), MaxDocument)
	}
	for {
		r.line, r.column = r.dec.InputPos()
		token, err := r.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, r.syntax(err)
		}
		if err := r.take(token); err != nil {
			return nil, err
		}
	}
	if r.root == nil {
		return nil, r.errorf("the document is empty")
	}
	return r.root, nil
}

// syntax gives the decoder's error its place: where reading stopped.
func (r *reader) syntax(err error) error {
	line, column := r.dec.InputPos()
	text := err.Error()
	var s *xml.SyntaxError
	if errors.As(err, &s) {
		text = s.Msg
	}
	return &rules.Error{Source: r.source, Line: line, Column: column, Text: "not well-formed XML: " + text}
}

func (r *reader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		last := len(r.open) - 1
		r.open[last].text = string(r.text[last])
		r.open, r.text = r.open[:last], r.text[:last]
	case xml.CharData:
		return r.chars(t)
	case xml.Directive:
		return r.errorf("document types are not accepted")
	case xml.ProcInst:
		if t.Target != "xml" {
			return r.errorf("processing instructions are not accepted")
		}
	}
	return nil
}

func (r *reader) chars(c xml.CharData) error {
	if len(r.open) == 0 {
		if len(bytes.TrimSpace(c)) > 0 {
			return r.errorf("text outside of the document")
		}
		return nil
	}
	last := len(r.open) - 1
	switch {
	case len(r.open[last].children) > 0 && len(bytes.TrimSpace(c)) == 0: // between children
	case len(r.text[last])+len(c) > MaxValue:
		return r.errorf("text of more than %d bytes", MaxValue)
	default:
		r.text[last] = append(r.text[last], c...)
	}
	return nil
}

func (r *reader) start(t xml.StartElement) error {
	r.elements++
	switch {
	case t.Name.Space != namespace && !r.inContent():
		return r.errorf("element %s is in namespace %q, not in %q", t.Name.Local, t.Name.Space, namespace)
	case r.elements > MaxElements:
		return r.errorf("more than %d elements", MaxElements)
	case len(r.open) >= MaxDepth:
		return r.errorf("elements are nested more than %d deep", MaxDepth)
	case len(t.Attr) > MaxAttributes:
		return r.errorf("element %s has more than %d attributes", t.Name.Local, MaxAttributes)
	case r.root != nil && len(r.open) == 0:
		return r.errorf("a second root element %s", t.Name.Local)
	}
	e := &element{name: t.Name.Local, place: r.place}
	if err := r.attributes(e, t.Attr); err != nil && !r.inContent() {
		return err
	}
	if n := len(r.open); n > 0 {
		r.open[n-1].children = append(r.open[n-1].children, e)
	} else {
		r.root = e
	}
	r.open = append(r.open, e)
	r.text = append(r.text, nil)
	return nil
}

// inContent reports whether the element at hand is in a Content, where XML is the
// requester's own. It is held to the limits all the same.
func (r *reader) inContent() bool {
	return slices.ContainsFunc(r.open, func(e *element) bool { return e.name == "Content" })
}

func (r *reader) attributes(e *element, attrs []xml.Attr) error {
	seen := map[xml.Name]bool{}
	for _, a := range attrs {
		if seen[a.Name] { // the decoder lets it pass
			return r.errorf("attribute %s of %s is there twice", a.Name.Local, e.name)
		}
		seen[a.Name] = true
		switch a.Name.Space {
		case "":
			if a.Name.Local == "xmlns" {
				continue
			}
			if e.attrs == nil {
				e.attrs = make(map[string]string, len(attrs))
			}
			e.attrs[a.Name.Local] = a.Value
		case "xmlns", namespaceXSI, namespaceXML:
		default:
			return r.errorf("attribute %s of %s is in namespace %q, which is unknown", a.Name.Local, e.name, a.Name.Space)
		}
	}
	return nil
}

// expect checks that an element has no attributes but the named ones, and those
// that are marked with an exclamation mark for certain.
func (e *element) expect(names ...string) error {
	known := 0
	for _, n := range names {
		n, required := strings.CutPrefix(n, "!")
		v, ok := e.attrs[n]
		if ok {
			known++
		}
		if required && strings.TrimSpace(v) == "" {
			return e.errorf("%s has no %s", e.name, n)
		}
	}
	if known == len(e.attrs) {
		return nil
	}
	for n := range e.attrs {
		if !contains(names, n) {
			return e.errorf("%s has an unknown attribute %s", e.name, n)
		}
	}
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.TrimPrefix(n, "!") == name {
			return true
		}
	}
	return false
}

// unknown says that an element has no business in its parent.
func (e *element) unknown(parent *element) error {
	return e.errorf("%s is not accepted in %s", e.name, parent.name)
}

// noText holds of elements that contain others.
func (e *element) noText() error {
	if strings.TrimSpace(e.text) != "" {
		return e.errorf("%s has text", e.name)
	}
	return nil
}

// leaf returns the text of an element that has no children.
func (e *element) leaf() (string, error) {
	if len(e.children) > 0 {
		return "", e.children[0].unknown(e)
	}
	return e.text, nil
}

// boolean reads a flag; an empty one is false.
func (e *element) boolean(name string) (bool, error) {
	switch strings.TrimSpace(e.attrs[name]) {
	case "true", "1":
		return true, nil
	case "false", "0", "":
		return false, nil
	default:
		return false, e.errorf("%s of %s is neither true nor false", name, e.name)
	}
}
