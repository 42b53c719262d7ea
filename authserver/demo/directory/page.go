package directory

import (
	_ "embed"
	"net/http"

	"github.com/anteroom-id/anteroom/authserver/demo/page"
)

//go:embed page.html
var pageHTML string

var accountsPage = page.Parse("directory", pageHTML)

// modeSwitch is one button of the page.
type modeSwitch struct {
	Mode  Mode
	Label string
	Now   bool
	says  string
}

func switches(current Mode) []modeSwitch {
	out := []modeSwitch{
		{Mode: Normal, Label: "Normal", says: "The directory answers at once."},
		{Mode: Slow, Label: "Slow (8 s)", says: "Every change takes eight seconds."},
		{Mode: Down, Label: "Down (503)", says: "Every request is answered with 503: try again later."},
		{Mode: Refuse, Label: "Refuse", says: "New accounts are refused for good."},
	}
	for i := range out {
		out[i].Now = out[i].Mode == current
	}
	return out
}

func (d *Directory) showPage(w http.ResponseWriter, _ *http.Request) {
	data := struct {
		Accounts []Account
		Switches []modeSwitch
		Says     string
		Requests Requests
	}{Accounts: d.Accounts(), Switches: switches(d.Mode()), Requests: d.Requests()}
	for _, s := range data.Switches {
		if s.Now {
			data.Says = s.says
		}
	}
	if err := accountsPage.Render(w, http.StatusOK, data); err != nil {
		d.logger.Error("cannot show page", "error", err)
	}
}

func (d *Directory) switchMode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	mode := Mode(r.PostFormValue("mode"))
	if !mode.known() {
		http.Error(w, "mode must be normal, slow, down or refuse", http.StatusBadRequest)
		return
	}
	d.SetMode(mode)
	d.logger.Info("directory switched", "mode", string(mode))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
