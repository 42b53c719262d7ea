package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Renderer writes pages.
type Renderer struct {
	name   string
	log    *slog.Logger
	texts  map[string]Texts
	assets assets
	pages  map[string]*template.Template // by language + "/" + page
}

// NewRenderer returns a renderer for a server of that name.
func NewRenderer(name string, log *slog.Logger) (*Renderer, error) {
	texts, err := loadTexts(textFiles)
	if err != nil {
		return nil, fmt.Errorf("load texts: %w", err)
	}
	static, err := loadAssets(staticFiles)
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	v := &Renderer{name: name, log: log, texts: texts, assets: static, pages: map[string]*template.Template{}}
	for _, t := range texts {
		if err := v.parse(t); err != nil {
			return nil, fmt.Errorf("parse templates: %w", err)
		}
	}
	return v, nil
}

const layoutFile = "layout.html"

func (v *Renderer) parse(t Texts) error {
	layout, err := template.New(layoutFile).Funcs(template.FuncMap{
		"t":     t.T,
		"asset": v.Asset,
		"lang":  func() string { return t.Lang },
		"name":  func() string { return v.name },
	}).Option("missingkey=error").ParseFS(templateFiles, "templates/"+layoutFile, "templates/fields.html")
	if err != nil {
		return err
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return err
	}
	for _, f := range files {
		page, err := layout.Clone()
		if err != nil {
			return err
		}
		if page, err = page.ParseFS(templateFiles, path.Join("templates", f.Name())); err != nil {
			return err
		}
		v.pages[t.Lang+"/"+strings.TrimSuffix(f.Name(), ".html")] = page
	}
	return nil
}

// Asset returns the URL of a static file, "" if there is none of that name.
func (v *Renderer) Asset(name string) string { return v.assets.urls[name] }

// Mount serves the static files and the landing page.
func (v *Renderer) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /static/{name}", v.assets.serve)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		v.Message(w, v.Texts(r, ""), MessagePage{Title: v.name, Text: "home.text"})
	})
}

// render writes a page whole or not at all: a template that fails halfway must
// not look like a page.
func (v *Renderer) render(w http.ResponseWriter, t Texts, status int, page string, forms FormTarget, data any) {
	var out bytes.Buffer
	SecureHeaders(w, forms)
	if framing, ok := data.(interface{ frameSources() []string }); ok {
		policy := w.Header().Get("Content-Security-Policy")
		w.Header().Set("Content-Security-Policy", policy+"; frame-src "+strings.Join(framing.frameSources(), " "))
	}
	if err := v.pages[t.Lang+"/"+page].ExecuteTemplate(&out, layoutFile, data); err != nil {
		v.log.Error("render page", "page", page, "error", err)
		http.Error(w, t.T("error.internal.title"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", t.Lang)
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the client may be gone
}
