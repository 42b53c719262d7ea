package web

import (
	"html/template"
	"net/http"
)

// Fact is a name and what there is to say about it.
type Fact struct{ Name, Value string }

// Link is a way to another page of ours.
type Link struct{ URL, Text string }

// AccountPage is what a user sees of themselves.
type AccountPage struct {
	Done    string // what was just done, in the page's language; "" for nothing
	Facts   []Fact
	Systems []Fact // where they have accounts, and how these are
	Links   []Link
	Verify  *Form // asks for a mail to verify the address; nil if there is nothing to ask
}

// Account writes the overview of self-service.
func (v *Renderer) Account(w http.ResponseWriter, t Texts, p AccountPage) {
	v.render(w, t, http.StatusOK, "account", FormsStay, p)
}

// PasswordPage asks for a new password.
type PasswordPage struct {
	Form
	Login  string // for password managers
	Fields []Field
	Failed bool
}

// Password writes the page to change a password.
func (v *Renderer) Password(w http.ResponseWriter, t Texts, status int, p PasswordPage) {
	v.render(w, t, status, "password", FormsStay, p)
}

// SessionsPage lists where a user is signed in.
type SessionsPage struct {
	Form
	Sessions []SessionRow
	Others   bool // there is more than the current one
}

// SessionRow is one session, in the page's language.
type SessionRow struct {
	ID                            string
	Browser, Address, Since, Used string
	Current                       bool // the browser that looks at the page
}

// Sessions writes the page of sessions.
func (v *Renderer) Sessions(w http.ResponseWriter, t Texts, p SessionsPage) {
	v.render(w, t, http.StatusOK, "sessions", FormsStay, p)
}

// PermissionsPage lists the applications that may act for a user.
type PermissionsPage struct {
	Form
	Permissions []PermissionRow
}

// PermissionRow is one application, in the page's language.
type PermissionRow struct {
	Client, App, Since string
	Asks               []string // what it may know or do, beside signing the user in
}

// Permissions writes the page of applications that may act for a user.
func (v *Renderer) Permissions(w http.ResponseWriter, t Texts, p PermissionsPage) {
	v.render(w, t, http.StatusOK, "permissions", FormsStay, p)
}

// SecondFactorPage shows how the second factor stands.
type SecondFactorPage struct {
	Begin, Confirm, Remove *Form        // what can be done; nil for what cannot
	QR                     template.URL // for an app to scan; "" if there is nothing to confirm
	Secret                 string       // the same to type
	Field                  Field        // the code that confirms
	Left                   int          // recovery codes
	Codes                  []string     // new recovery codes, shown once
}

// SecondFactor writes the page of the second factor.
func (v *Renderer) SecondFactor(w http.ResponseWriter, t Texts, status int, p SecondFactorPage) {
	v.render(w, t, status, "second_factor", FormsStay, p)
}

// PasskeysPage lists a user's passkeys.
type PasskeysPage struct {
	Done     string // what was just done, in the page's language; "" for nothing
	Problem  string // what was not
	Passkeys []PasskeyRow
	Add      PasskeyForm
	Field    Field // the name of a new one
	Rename   Form
	Remove   Form
}

// PasskeyRow is one passkey, in the page's language.
type PasskeyRow struct {
	ID, Name, Text string
	Warning        string // why it is of no use any more; "" if it is
}

// Passkeys writes the page of passkeys.
func (v *Renderer) Passkeys(w http.ResponseWriter, t Texts, status int, p PasskeysPage) {
	v.render(w, t, status, "passkeys", FormsStay, p)
}

// LinksPage lists how a user signs in, and the upstreams among it.
type LinksPage struct {
	Done    string // what was just done, in the page's language; "" for nothing
	Problem string // why it was not, in the page's language
	Facts   []Fact // the other ways
	Links   []LinkRow
	Offered []UpstreamButton // that could be linked
	Unlink  Form
	Link    Form
}

// LinkRow is one upstream, in the page's language.
type LinkRow struct{ Issuer, Subject, Name, Text string }

// Links writes the page of sign-in methods. Its forms end at upstreams.
func (v *Renderer) Links(w http.ResponseWriter, t Texts, status int, p LinksPage) {
	v.render(w, t, status, "methods", FormsLeave, p)
}

// DeletePage asks whether the user is to be deleted.
type DeletePage struct {
	Form
	Login   string
	Systems []Fact // whose accounts end, too
	Failed  bool   // the box was not ticked
}

// Delete writes the page to delete an account.
func (v *Renderer) Delete(w http.ResponseWriter, t Texts, status int, p DeletePage) {
	v.render(w, t, status, "delete", FormsStay, p)
}
