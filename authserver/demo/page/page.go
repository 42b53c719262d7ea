package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed layout.html
var layout string

// Page is one parsed page.
type Page struct {
	name     string
	template *template.Template
}

// Parse makes a page of the body's template, which defines "title" and "body"
// and may define "head". It panics on a mistake in the template: that is a
// mistake in the program.
func Parse(name, body string) Page {
	t := template.Must(template.New(name).Parse(layout))
	return Page{name: name, template: template.Must(t.Parse(body))}
}

// Render writes the page. Nothing is written when the error is not nil.
func (p Page) Render(w http.ResponseWriter, status int, data any) error {
	var out bytes.Buffer
	if err := p.template.Execute(&out, data); err != nil {
		return fmt.Errorf("render page %s: %w", p.name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, err := w.Write(out.Bytes())
	if err != nil {
		return fmt.Errorf("write page %s: %w", p.name, err)
	}
	return nil
}
