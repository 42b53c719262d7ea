package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/web"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the templates by name.
type pages map[string]*template.Template

const (
	layoutFile = "layout.html"
	partsFile  = "parts.html" // what several pages show
)

func loadPages(asset func(string) string) (pages, error) {
	layout, err := template.New(layoutFile).Funcs(template.FuncMap{
		"asset": asset,
		"pair":  func(a, b any) [2]any { return [2]any{a, b} },
	}).Option("missingkey=error").ParseFS(templateFiles, "templates/"+layoutFile, "templates/"+partsFile)
	if err != nil {
		return nil, fmt.Errorf("parse console's layout: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	out := pages{}
	for _, f := range files {
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, path.Join("templates", f.Name()))
		}
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", f.Name(), err)
		}
		out[strings.TrimSuffix(f.Name(), ".html")] = page
	}
	return out, nil
}

// view is what a page gets: what every page has around it, and its own Data.
type view struct {
	Title string
	Done  string // what was just done; "" if nothing
	Menu  []menuItem
	Login string
	Role  admin.Role
	Token string // for forms; "" for visitors who may not enter
	// Configures and Operates say which buttons do something for this visitor.
	Configures, Operates bool
	Data                 any
}

type menuItem struct {
	URL, Text string
	Current   bool
}

// menu is the way to every part.
func menu(at string) []menuItem {
	items := []menuItem{{URL: pathApplications, Text: "Applications"}}
	for i := range items {
		items[i].Current = at == items[i].URL || strings.HasPrefix(at, items[i].URL+"/")
	}
	return items
}

// show writes a page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, v visit, status int, page, title string, data any) error {
	return c.render(w, status, page, view{
		Title: title, Done: doneTexts()[r.URL.Query().Get(paramDone)], Menu: menu(r.URL.Path), Login: v.user.Login, Role: v.role, Token: v.token(),
		Configures: v.role.May(admin.PermissionConfigure), Operates: v.role.May(admin.PermissionOperate), Data: data,
	})
}

// doneTexts are what pages say that something was done: what an address names is
// never shown as it is.
func doneTexts() map[string]string {
	return map[string]string{"created": "Created.", "updated": "Updated.", "deleted": "Deleted."}
}

// render writes a page whole or not at all.
func (c *Console) render(w http.ResponseWriter, status int, page string, v view) error {
	var out bytes.Buffer
	if err := c.pages[page].ExecuteTemplate(&out, layoutFile, v); err != nil {
		return fmt.Errorf("render %s: %w", page, err)
	}
	web.SecureHeaders(w, web.FormsStay)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the browser may be gone
	return nil
}

// message is a page that says one thing.
type message struct{ Text, Link, LinkText string }

// failed shows a page for an error.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	status, v := http.StatusInternalServerError, view{Title: "Something went wrong", Data: message{"It is in the server's log. Nothing was changed unless a page said so.", Path, "Back to the console"}}
	var away forbidden
	var refused refusal
	switch {
	case errors.As(err, &away):
		status, v = http.StatusForbidden, c.forbiddenView(away.visit)
	case errors.Is(err, errNotFound):
		status, v.Title, v.Data = http.StatusNotFound, "There is no such page", message{"What it was about may be gone.", Path, "Back to the console"}
	case errors.Is(err, session.ErrForm):
		status, v.Title, v.Data = http.StatusForbidden, "This form is too old", message{"It was made for another session. Load the page again; nothing was changed.", Path, "Back to the console"}
	case errors.As(err, &refused):
		status, v.Title, v.Data = http.StatusForbidden, "You were not signed in", message{refused.Error(), Path, "Try again"}
	case errors.Is(err, errSignIn):
		status, v.Title, v.Data = http.StatusBadRequest, "You were not signed in", message{"This answer belongs to no sign-in that began in this browser.", Path, "Sign in"}
	default:
		c.Log.ErrorContext(r.Context(), "console", "path", r.URL.Path, "error", err)
	}
	if err := c.render(w, status, "message", v); err != nil {
		c.Log.ErrorContext(r.Context(), "console", "path", r.URL.Path, "error", err)
		http.Error(w, v.Title, http.StatusInternalServerError)
	}
}

// forbiddenView tells people apart who may look around, and those who may not.
func (c *Console) forbiddenView(v visit) view {
	out := view{Title: "You may not do that", Login: v.user.Login, Role: v.role, Token: v.token()}
	if v.role == "" {
		out.Data = message{Text: "You are signed in as " + v.user.Login + ", who is no administrator. An administrator can make you one."}
		return out
	}
	out.Menu, out.Data = menu(""), message{"It takes another role than " + string(v.role) + ".", Path, "Back to the console"}
	return out
}
