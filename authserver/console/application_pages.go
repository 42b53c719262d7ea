package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/admin"
	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/console/form"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
)

const (
	pathApplications = Path + "/applications"
	pathNew          = "/new"
	pathSecret       = "/secret"
	pathDelete       = "/delete"
)

func applicationURL(id string) string { return pathApplications + "/" + url.PathEscape(id) }

func (c *Console) applicationRoutes() []route {
	return []route{
		{"GET " + pathApplications, admin.PermissionView, c.listApplications},
		{"GET " + pathApplications + pathNew, admin.PermissionConfigure, c.newApplication},
		{"POST " + pathApplications, admin.PermissionConfigure, c.saveApplication},
		{"GET " + pathApplications + "/{id}", admin.PermissionView, c.showApplication},
		{"POST " + pathApplications + "/{id}", admin.PermissionConfigure, c.saveApplication},
		{"POST " + pathApplications + "/{id}" + pathSecret, admin.PermissionConfigure, c.replaceSecret},
		{"GET " + pathApplications + "/{id}" + pathDelete, admin.PermissionConfigure, c.askDelete},
		{"POST " + pathApplications + "/{id}" + pathDelete, admin.PermissionConfigure, c.deleteApplication},
	}
}

// applicationRow is an application in the list.
type applicationRow struct {
	URL, Name, ClientID string
	Enabled             bool
	Targets             []string // with what the binding says in words
}

type applicationList struct {
	Query string
	Rows  []applicationRow
	list
}

func (c *Console) listApplications(w http.ResponseWriter, r *http.Request, v visit) error {
	all, err := c.Resources.ListApplications(r.Context())
	if err != nil {
		return err
	}
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	found := matching(all, query, func(a resources.Application) string { return a.ClientID + " " + a.Name })
	page, list := paged(r.URL, found)
	out := applicationList{Query: query, list: list}
	for _, a := range page {
		out.Rows = append(out.Rows, rowOf(a))
	}
	return c.show(w, r, v, http.StatusOK, "applications", "Applications", out)
}

func rowOf(a resources.Application) applicationRow {
	row := applicationRow{URL: applicationURL(a.ClientID), Name: a.Name, ClientID: a.ClientID, Enabled: !a.Disabled}
	if a.Outbound == nil {
		return row
	}
	for _, b := range *a.Outbound {
		text := b.Target
		if b.Blocking {
			text += " (blocking)"
		}
		row.Targets = append(row.Targets, text)
	}
	return row
}

func (c *Console) newApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	return c.drawApplication(w, r, v, http.StatusOK, freshApplication(), false, nil)
}

// freshApplication is what a new one has unless it is told otherwise.
func freshApplication() resources.Application {
	return resources.FromApplication(application.New("", ""))
}

func (c *Console) showApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	a, err := c.Resources.Application(r.Context(), provisioning.ClientID(r.PathValue("id")))
	if errors.Is(err, application.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	return c.drawApplication(w, r, v, http.StatusOK, a, true, nil)
}

// drawApplication shows the form of the document, which is stored or was sent.
func (c *Console) drawApplication(w http.ResponseWriter, r *http.Request, v visit, status int, a resources.Application, known bool, problems form.Problems) error {
	names, err := c.Resources.Names(r.Context())
	if err != nil {
		return err
	}
	page, err := fillApplication(a, known, names, problems)
	if err != nil {
		return err
	}
	if page.Version = v.form.Get(fieldVersion); page.Version == "" {
		if page.Version, err = digest(a); err != nil {
			return err
		}
	}
	title := a.Name
	if !known {
		title = "New application"
	}
	return c.show(w, r, v, status, "application", title, page)
}

// saveApplication does what the pressed button says: it adds or removes a binding in
// the form, which changes nothing yet, or stores what is in it.
func (c *Console) saveApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	current, known, err := c.currentApplication(r)
	if err != nil {
		return err
	}
	names, err := c.Resources.Names(r.Context())
	if err != nil {
		return err
	}
	a, problems, err := readApplication(current, known, names, v.form)
	if err != nil {
		return err
	}
	switch do := v.form.Get(fieldDo); {
	case do == doAdd:
		addBinding(&a, v.form.Get(fieldAdd))
		return c.drawApplication(w, r, v, http.StatusOK, a, known, problems)
	case strings.HasPrefix(do, doRemove):
		removeBinding(&a, strings.TrimPrefix(do, doRemove))
		return c.drawApplication(w, r, v, http.StatusOK, a, known, problems)
	}
	return c.storeApplication(w, r, v, current, a, known, problems)
}

// currentApplication returns what is stored: a fresh one for a form that makes one.
func (c *Console) currentApplication(r *http.Request) (resources.Application, bool, error) {
	id := r.PathValue("id")
	if id == "" {
		return freshApplication(), false, nil
	}
	a, err := c.Resources.Application(r.Context(), provisioning.ClientID(id))
	if errors.Is(err, application.ErrNotFound) {
		return a, false, errNotFound
	}
	return a, true, err
}

func (c *Console) storeApplication(w http.ResponseWriter, r *http.Request, v visit, current, a resources.Application, known bool, problems form.Problems) error {
	version, err := digest(current)
	if err != nil {
		return err
	}
	var plan resources.Plan
	if version != v.form.Get(fieldVersion) {
		err = errChanged
	} else if len(problems) == 0 {
		problems, err = c.checkNew(r, a, known)
		if err == nil && len(problems) == 0 {
			plan, problems, err = c.apply(r.Context(), resources.Document{Applications: []resources.Application{a}}, "applications[0].")
		}
	}
	if errors.Is(err, errChanged) {
		problems, err = form.Problems{"": "Somebody else changed this application since the page was loaded. What you see is what you sent; nothing was stored. Load the page again to see theirs."}, nil
	}
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return c.drawApplication(w, r, v, http.StatusUnprocessableEntity, a, known, problems)
	}
	if secret, ok := plan.Generated[a.ClientID]; ok {
		return c.showSecret(w, r, v, a.ClientID, secret)
	}
	if !known {
		return did(w, r, applicationURL(a.ClientID), "created")
	}
	return did(w, r, applicationURL(a.ClientID), "updated")
}

// checkNew keeps a form that makes an application from changing one that is there.
func (c *Console) checkNew(r *http.Request, a resources.Application, known bool) (form.Problems, error) {
	if known {
		return nil, nil
	}
	_, err := c.Resources.Application(r.Context(), provisioning.ClientID(a.ClientID))
	if errors.Is(err, application.ErrNotFound) {
		return nil, nil
	}
	return form.Problems{"client_id": "there is an application of that name"}, err
}
