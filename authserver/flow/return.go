package flow

import (
	"net/http"
)

// Ask sends the browser to sign in for a page of ours, and back to the path then.
// again asks for the password although there is a session. The path must be one
// that the caller wrote, never a request's.
func (d *Driver) Ask(w http.ResponseWriter, r *http.Request, path, loginHint string, again bool) error {
	request := AuthorizeRequest{Return: path, LoginHint: loginHint}
	if again {
		request.Prompt = []string{promptLogin}
	}
	s, step, err := d.Begin(w, r, request)
	if err != nil {
		return err
	}
	if step.Action == ActionReturn { // signed in, in another tab
		seeOther(w, r, path)
		return nil
	}
	seeOther(w, r, Location(s, step))
	return nil
}

// Enter begins a sign-in for a page of ours that speaks for an application, and
// sends the browser to where it goes on. It is stored even if no page is needed:
// package op resumes it.
func (d *Driver) Enter(w http.ResponseWriter, r *http.Request, req AuthorizeRequest) error {
	s, _, err := d.Begin(w, r, req)
	if err != nil {
		return err
	}
	if s.Version == 0 {
		if err := d.SignIns.Insert(r.Context(), *s); err != nil {
			return err
		}
	}
	d.toResume(w, r, *s)
	return nil
}

// goBack ends a sign-in for a page of ours. One that is over leads there too: the
// page looks for itself whether the user may see it.
func (d *Driver) goBack(w http.ResponseWriter, r *http.Request) error {
	s, err := d.load(r, ID(r.URL.Query().Get(paramSignIn)))
	if err != nil {
		return err
	}
	if s.Request.Return == "" {
		return ErrUnknown
	}
	st, err := d.state(r, &s)
	if err != nil {
		return err
	}
	switch step := Next(st); step.Action {
	case ActionReturn, ActionExpired, ActionReplay:
		seeOther(w, r, s.Request.Return)
	default:
		seeOther(w, r, Location(&s, step))
	}
	return nil
}
