package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
)

// Form is what every form carries back, so that the next request knows what it
// belongs to.
type Form struct {
	Action string // the URL it posts to
	Token  string // the anti-forgery token
	SignIn string // "" without a sign-in
	Client string // "" with a sign-in
}

// SignInPage asks who the user is.
type SignInPage struct {
	Form
	App      string // the application's name
	About    AppAbout
	Login    string // what was typed, or hinted
	Problem  string // why it did not work, in the page's language
	Register string // where to register; "" if nobody may
	Recover  string // where to get a new password; "" if there is no such page
	// Upstreams are other places to sign in at, each a button of the form With.
	Upstreams []UpstreamButton
	With      Form
	// Passkey signs in without a login; nil if there are no passkeys.
	Passkey *PasskeyForm
	// Discovers is set when the login alone may lead to one of them.
	Discovers bool
}

// AppAbout is what people should know of an application.
type AppAbout struct {
	App           string
	Policy, Terms string // pages of the application's; "" for none
	// To is where answers go, if nobody but the application itself says what it is.
	To string
}

// UpstreamButton leads to an upstream.
type UpstreamButton struct{ Name, Text string }

// PasskeyForm sends what a browser's authenticator says. Only a script can fill it, so it
// is hidden until there is one.
type PasskeyForm struct {
	Form
	Challenge string // where the script gets what is to be signed
	Page      string // where the form is, for a script that must begin again
}

// SignIn writes the sign-in page; with a problem the status tells too.
func (v *Renderer) SignIn(w http.ResponseWriter, t Texts, status int, p SignInPage) {
	v.render(w, t, status, "sign_in", FormsLeave, p)
}

// CodePage asks for the code of a second factor.
type CodePage struct {
	Form
	Field   Field
	Restart string // where to sign in as somebody else
}

// Code writes the page of the second step of a sign-in.
func (v *Renderer) Code(w http.ResponseWriter, t Texts, status int, p CodePage) {
	v.render(w, t, status, "code", FormsLeave, p)
}

// Field is one input of a form.
type Field struct {
	Name         string
	Label        string
	Type         string // "text", "email", "password"
	Value        string
	Autocomplete string
	Hint         string
	Problem      string
	Required     bool
	Focus        bool
	ReadOnly     bool // to look at
	Plain        bool // no words: neither capitals nor spelling are helped with
}

// RegisterPage asks for a new user's details.
type RegisterPage struct {
	Form
	App       string
	Fields    []Field
	SignInURL string // where to sign in instead; "" if there is no sign-in
	Failed    bool   // some field has a problem
}

// Register writes the registration page.
func (v *Renderer) Register(w http.ResponseWriter, t Texts, status int, p RegisterPage) {
	forms := FormsLeave
	if p.SignIn == "" {
		forms = FormsStay
	}
	v.render(w, t, status, "register", forms, p)
}

// ConfirmPage asks a new user whether what an upstream tells of them is right.
type ConfirmPage struct {
	Form
	Upstream string // what people know it by
	Fields   []Field
	Restart  string // where to sign in as somebody else
	Failed   bool   // some field has a problem
}

// Confirm writes the page that a new user is made with.
func (v *Renderer) Confirm(w http.ResponseWriter, t Texts, status int, p ConfirmPage) {
	v.render(w, t, status, "confirm", FormsLeave, p)
}

// WaitState is what the wait page is about.
type WaitState string

// The states of the wait page.
const (
	WaitWorking  WaitState = "working"
	WaitFailed   WaitState = "failed"   // the user may retry or leave; it goes on by itself once it can
	WaitContinue WaitState = "continue" // the page has nothing to show any more
)

// WaitStatus is the part of the wait page that changes, also sent as JSON.
type WaitStatus struct {
	State     WaitState  `json:"state"`
	Title     string     `json:"title"`
	Text      string     `json:"text"`
	Reference string     `json:"reference"`
	Lines     []WaitLine `json:"lines"`
	Next      string     `json:"next,omitempty"` // where to go when State is continue
}

// WaitLine is one target on the wait page.
type WaitLine struct {
	Target   string `json:"target"`
	Progress string `json:"progress"` // queued, working, done, retrying, pending, failed
	Text     string `json:"text"`
}

// WaitPage shows how preparing the accounts goes.
type WaitPage struct {
	WaitStatus
	App    string
	Events string // URL of the stream of WaitStatus
	Retry  Form
	Leave  Form
}

// Wait writes the wait page.
func (v *Renderer) Wait(w http.ResponseWriter, t Texts, p WaitPage) {
	v.render(w, t, http.StatusOK, "wait", FormsLeave, p)
}

// ConsentPage asks whether an application may have what it asks for.
type ConsentPage struct {
	Form
	App   string
	About AppAbout
	Login string   // who is asked
	User  string   // their id
	Asks  []string // in the page's language
}

// Consent writes the consent page.
func (v *Renderer) Consent(w http.ResponseWriter, t Texts, p ConsentPage) {
	v.render(w, t, http.StatusOK, "consent", FormsLeave, p)
}

// SignOutPage asks whether to sign out.
type SignOutPage struct {
	Form
	App      string // the application's name that asks for it; "" for nobody
	ReturnTo string // where the browser goes afterwards; "" for our own page
}

// SignOut writes the sign-out page.
func (v *Renderer) SignOut(w http.ResponseWriter, t Texts, p SignOutPage) {
	forms := FormsStay
	if p.ReturnTo != "" {
		forms = FormsLeave
	}
	v.render(w, t, http.StatusOK, "sign_out", forms, p)
}

// SigningOutPage ends the session at applications, each in a frame that nobody
// sees, and goes on.
type SigningOutPage struct {
	Frames []string // addresses
	Next   string   // where to go when they are loaded, or took too long
}

// frameSources are the origins of the frames, for the page's policy.
func (p SigningOutPage) frameSources() []string {
	var origins []string
	for _, f := range p.Frames {
		if u, err := url.Parse(f); err == nil && !slices.Contains(origins, u.Scheme+"://"+u.Host) {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	return origins
}

// SigningOut writes the page that ends the session at applications.
func (v *Renderer) SigningOut(w http.ResponseWriter, t Texts, p SigningOutPage) {
	v.render(w, t, http.StatusOK, "signing_out", FormsStay, p)
}

// FormPostPage carries fields to an application (OAuth 2.0 Form Post Response Mode).
type FormPostPage struct {
	Action string
	Fields url.Values
}

// FormPost writes the form, which sends itself where there is JavaScript and has a
// button where there is none.
func (v *Renderer) FormPost(w http.ResponseWriter, t Texts, p FormPostPage) {
	v.render(w, t, http.StatusOK, "form_post", FormsLeave, p)
}

// MessagePage says one thing: an error, or that something is done. Title and
// Text are keys of texts; what is no key is shown as it is.
type MessagePage struct {
	Status    int // 0 for 200
	Title     string
	Text      string
	Detail    string // for whoever has to mend it, shown as it is; "" if there is none
	Reference string // for support; "" if there is none
	Link      string // where to go from here; "" for nowhere
	LinkText  string
}

// Failed reports whether the page is about an error.
func (p MessagePage) Failed() bool { return p.Status >= http.StatusBadRequest }

// Message writes a message page.
func (v *Renderer) Message(w http.ResponseWriter, t Texts, p MessagePage) {
	v.render(w, t, cmp.Or(p.Status, http.StatusOK), "message", FormsStay, p)
}
