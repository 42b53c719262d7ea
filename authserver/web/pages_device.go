package web

import "net/http"

// DevicePage asks for the code that a device shows.
type DevicePage struct {
	Action  string // where the code goes, by GET
	Code    string // what was typed
	Problem string // why it was of no use, in the page's language
	SignIn  string // where to sign in first; "" if that would not help
}

// Device writes the page for a device's code.
func (v *Renderer) Device(w http.ResponseWriter, t Texts, status int, p DevicePage) {
	v.render(w, t, status, "device", FormsStay, p)
}

// DeviceConfirmPage asks whether a device is the person's own, and whether it may
// have what it asks for.
type DeviceConfirmPage struct {
	Form
	App     string
	Code    string   // to compare with the device's
	Login   string   // who is signed in; "" if nobody is
	Asks    []string // in the page's language
	Network string   // where the device asked from; "" if that is not known
	// SameNetwork is set when this browser is in that network, too.
	SameNetwork bool
	Minutes     int // since the device asked
}

// DeviceConfirm writes the page. Its form may end at an upstream.
func (v *Renderer) DeviceConfirm(w http.ResponseWriter, t Texts, p DeviceConfirmPage) {
	v.render(w, t, http.StatusOK, "device_confirm", FormsLeave, p)
}
