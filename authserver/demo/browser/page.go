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
	case atom.Input:
		if form != nil && attr(n, "name") != "" && attr(n, "type") != "submit" {
			form.Values.Set(attr(n, "name"), attr(n, "value"))
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
	return &Form{Action: action, Method: method, Values: url.Values{}}
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
