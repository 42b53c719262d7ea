package web

import "net/http"

// LinkForm is a form that belongs to a mailed link.
type LinkForm struct {
	Form
	Link string // what the link carries; "" for a form to ask for one
}

// RecoverPage asks for what is needed to mail a link, or to do what one is for.
// Title, Lead and Submit are keys of texts.
type RecoverPage struct {
	LinkForm
	Title, Lead, Submit string
	Login, Email        string // of the user the link was mailed to
	Fields              []Field
}

// Recover writes a page of package recovery.
func (v *Renderer) Recover(w http.ResponseWriter, t Texts, status int, p RecoverPage) {
	v.render(w, t, status, "recover", FormsStay, p)
}
