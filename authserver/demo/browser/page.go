package browser

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// read walks the document and collects what a person sees.
func (p *Page) read(n *html.Node, form *Form) {
	switch {
	case n.Type == html.TextNode:
		p.Text += n.Data + " "
	case n.Type == html.ElementNode:
		if skip := p.element(n, form); skip {
			return
		}
	}
	if n.DataAtom == atom.Form {
		form = p.openForm(n)
		defer func() { p.Forms = append(p.Forms, *form) }()
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.read(c, form)
	}
}

// element notes one element and reports whether its children are not text.
func (p *Page) element(n *html.Node, form *Form) (skip bool) {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template:
		return true
	case atom.Title:
		if n.FirstChild != nil {
			p.Title = n.FirstChild.Data
		}
		return true
	case atom.Meta:
		if strings.EqualFold(attr(n, "http-equiv"), "refresh") {
			p.Refresh = refresh(attr(n, "content"))
		}
	case atom.Input, atom.Select, atom.Textarea, atom.Button:
		if form != nil && attr(n, "name") != "" {
			form.control(n)
		}
	}
	return false
}

// control notes what a control sends if nobody touches it, and that it can be touched.
func (f *Form) control(n *html.Node) {
	name, value := attr(n, "name"), attr(n, "value")
	f.offered[name] = true
	kind := strings.ToLower(attr(n, "type"))
	box := kind == "checkbox" || kind == "radio"
	f.boxes[name] = box
	switch {
	case n.DataAtom == atom.Button || kind == "submit":
	case n.DataAtom == atom.Textarea:
		f.Values.Add(name, strings.TrimPrefix(text(n), "\n"))
	case n.DataAtom == atom.Select:
		if chosen, ok := chosen(n); ok {
			f.Values.Add(name, chosen)
		}
	case box && !has(n, "checked"):
	default:
		f.Values.Add(name, value)
	}
}

// chosen returns the option that is selected, or the first.
func chosen(list *html.Node) (value string, ok bool) {
	for n := range list.Descendants() {
		if n.DataAtom != atom.Option || ok && !has(n, "selected") {
			continue
		}
		value, ok = text(n), true
		if has(n, "value") {
			value = attr(n, "value")
		}
	}
	return value, ok
}

func text(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return out.String()
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func (p *Page) openForm(n *html.Node) *Form {
	method := http.MethodGet
	if strings.EqualFold(attr(n, "method"), "post") {
		method = http.MethodPost
	}
	action, err := p.URL.Parse(attr(n, "action"))
	if err != nil {
		action = p.URL
	}
	return &Form{Action: action, Method: method, Values: url.Values{}, offered: map[string]bool{}, boxes: map[string]bool{}}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func refresh(content string) time.Duration {
	seconds, _, _ := strings.Cut(content, ";")
	n, err := strconv.ParseFloat(strings.TrimSpace(seconds), 64)
	if err != nil {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
