package console

import (
	"errors"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// secretPage shows a client secret, this once.
type secretPage struct{ ClientID, Secret, URL string }

func (c *Console) showSecret(w http.ResponseWriter, r *http.Request, v visit, id string, secret sdk.Secret) error {
	return c.show(w, r, v, http.StatusOK, "secret", "Client secret", secretPage{ClientID: id, Secret: secret.Reveal(), URL: applicationURL(id)})
}

func (c *Console) replaceSecret(w http.ResponseWriter, r *http.Request, v visit) error {
	id := r.PathValue("id")
	secret, err := c.Applications.ReplaceSecret(r.Context(), provisioning.ClientID(id))
	if errors.Is(err, application.ErrNotFound) || errors.Is(err, application.ErrNoSecret) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	return c.showSecret(w, r, v, id, secret)
}

// deletePage says what will happen, and asks.
type deletePage struct {
	Action, Back, Name string
	Accounts           []string // what becomes of them, for each binding
	Problem            string
}

func (c *Console) askDelete(w http.ResponseWriter, r *http.Request, v visit) error {
	return c.drawDelete(w, r, v, http.StatusOK, "")
}

func (c *Console) drawDelete(w http.ResponseWriter, r *http.Request, v visit, status int, problem string) error {
	a, err := c.Resources.Application(r.Context(), provisioning.ClientID(r.PathValue("id")))
	if errors.Is(err, application.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	url := applicationURL(a.ClientID)
	page := deletePage{Action: url + pathDelete, Back: url, Name: a.ClientID, Problem: problem}
	for _, b := range *a.Outbound {
		page.Accounts = append(page.Accounts, b.Target+": "+lossText(b))
	}
	return c.show(w, r, v, status, "delete", "Delete "+a.Name, page)
}

// lossText says what becomes of accounts that only this binding grants.
func lossText(b resources.Binding) string {
	switch provisioning.LossPolicy(b.OnLoss) {
	case provisioning.LossSuspend:
		return "accounts that nothing else grants are suspended"
	case provisioning.LossDelete:
		return "accounts that nothing else grants are deleted if Anteroom made them"
	default:
		return "accounts stay"
	}
}

func (c *Console) deleteApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	id := r.PathValue("id")
	if v.form.Get("name") != id {
		return c.drawDelete(w, r, v, http.StatusUnprocessableEntity, "This is not its client ID. Nothing was deleted.")
	}
	err := c.Applications.DeleteApplication(r.Context(), provisioning.ClientID(id))
	if errors.Is(err, application.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	return did(w, r, pathApplications, "deleted")
}
