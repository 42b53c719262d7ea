package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// waiting is a sign-in on the wait page.
type waiting struct {
	signIn   SignIn
	decision provisioning.Decision // zero when the sign-in stands elsewhere
	step     Step
	app      string
	texts    web.Texts
}

// waiting looks where the sign-in stands, without moving it.
func (d *Driver) waiting(r *http.Request, id ID) (waiting, error) {
	s, err := d.load(r, id)
	if err != nil {
		return waiting{}, err
	}
	st, err := d.state(r, &s)
	if err != nil {
		return waiting{}, err
	}
	v := waiting{signIn: s, step: Next(st), texts: d.Pages.Texts(r, s.Request.UILocales)}
	// Without a start there is nothing to look at: resuming starts the work.
	if v.step.Action == ActionProvision && !s.ProvisionStart.IsZero() {
		if v.decision, err = d.Gate.Look(r.Context(), d.request(&s)); err != nil {
			return waiting{}, fmt.Errorf("ask gate: %w", err)
		}
		st.Decision = &v.decision
		v.step = Next(st)
	}
	app, err := d.application(r.Context(), s.Request)
	v.app = app.Name
	return v, err
}

func (d *Driver) showWait(w http.ResponseWriter, r *http.Request) error {
	id := ID(r.URL.Query().Get(paramSignIn))
	v, err := d.waiting(r, id)
	if err != nil {
		return err
	}
	// A denial that is news is first recorded, by resuming; that leads back here.
	if v.step.Action != ActionWait || news(v.signIn, v.decision) {
		d.elsewhere(w, r, v.signIn, v.step)
		return nil
	}
	d.Pages.Wait(w, v.texts, web.WaitPage{
		WaitStatus: v.status(d.Now()), App: v.app, Events: at(pathWaitEvents, id),
		Retry: d.form(r, pathWaitRetry, id), Leave: d.form(r, pathWaitLeave, id),
	})
	return nil
}

// status says what the page shows.
func (v waiting) status(now time.Time) web.WaitStatus {
	if v.step.Action != ActionWait {
		return web.WaitStatus{State: web.WaitContinue, Next: at(ResumePath, v.signIn.ID), Lines: []web.WaitLine{}}
	}
	out := web.WaitStatus{
		State: web.WaitWorking, Reference: v.signIn.Reference, Lines: v.lines(now),
		Title: v.texts.T("wait.title", "app", v.app), Text: v.texts.T("wait.text"),
	}
	if failure, ok := v.failure(now); ok {
		out.State = web.WaitFailed
		out.Title = v.texts.T("wait.failed."+string(failure.Code), "app", v.app)
		out.Text = v.texts.Or(failure.Text, v.texts.T("failure."+string(failure.Code)))
	}
	return out
}

// failure returns what keeps the user from going on: what the gate denies, or
// that time is up although it still waits.
func (v waiting) failure(now time.Time) (provisioning.Failure, bool) {
	f := v.decision.Failure
	switch {
	case v.decision.Verdict == provisioning.VerdictDeny && f.Code == "":
		return provisioning.Failure{Code: provisioning.FailureInternal, Text: provisioning.TextInternal}, true
	case v.decision.Verdict == provisioning.VerdictDeny:
		return f, true
	case v.signIn.Deadline.IsZero() || now.Before(v.signIn.Deadline):
		return provisioning.Failure{}, false
	case f.Code == "":
		return provisioning.Failure{Code: provisioning.FailureUnavailable, Text: provisioning.TextOutOfTime}, true
	default:
		return f, true
	}
}

// lines returns one line per target the user waits for; what happens in the
// background is not theirs to watch.
func (v waiting) lines(now time.Time) []web.WaitLine {
	lines := []web.WaitLine{}
	for _, f := range v.decision.Findings {
		if !f.Blocking {
			continue
		}
		lines = append(lines, web.WaitLine{Target: string(f.Target), Progress: string(f.Progress), Text: v.progress(f, now)})
	}
	return lines
}

func (v waiting) progress(f provisioning.Finding, now time.Time) string {
	left := f.RetryAt.Sub(now)
	switch {
	case f.Progress == provisioning.ProgressPending && said(f.Detail) != "":
		return v.texts.T("progress.pending_because", "text", said(f.Detail))
	case f.Progress != provisioning.ProgressRetrying || left <= 0:
	case left < 2*time.Minute:
		return v.texts.T("progress.retrying_in", "seconds", int(left.Seconds())+1)
	default:
		return v.texts.T("progress.retrying_in_minutes", "minutes", int(left.Minutes())+1)
	}
	return v.texts.T("progress." + string(f.Progress))
}

// maxSaid is how much of a connector's text the page shows, in characters.
const maxSaid = 200

// said is a connector's text for the person who waits, fit for a line of the
// page: printable, on one line, and short. The template escapes it.
func said(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > maxSaid {
		text = string(runes[:maxSaid]) + "…"
	}
	return text
}

func (d *Driver) waitStatus(w http.ResponseWriter, r *http.Request) error {
	v, err := d.waiting(r, ID(r.URL.Query().Get(paramSignIn)))
	if err != nil {
		return err
	}
	web.SecureHeaders(w, web.FormsStay)
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v.status(d.Now()))
}

const (
	// streamFor bounds one stream; the browser opens the next by itself. A server
	// that stops waits no longer than this for it.
	streamFor  = 25 * time.Second
	streamTick = time.Second
)

// waitEvents streams the status whenever it changed. It looks at the rows every
// tick, so it does not matter which instance does the work.
func (d *Driver) waitEvents(w http.ResponseWriter, r *http.Request) error {
	id := ID(r.URL.Query().Get(paramSignIn))
	v, err := d.waiting(r, id)
	if err != nil {
		return err
	}
	stream := newEventStream(w)
	ctx, cancel := context.WithTimeout(r.Context(), streamFor)
	defer cancel()
	r = r.WithContext(ctx)
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	for sent := (*web.WaitStatus)(nil); ; {
		status := v.status(d.Now())
		if sent == nil || !sameStatus(*sent, status) {
			if err := stream.send(status); err != nil {
				return nil // the browser is gone
			}
			sent = &status
		}
		if status.State == web.WaitContinue {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if v, err = d.waiting(r, id); err != nil {
			if ctx.Err() == nil {
				d.Log.WarnContext(ctx, "look at sign-in", "error", err)
			}
			return nil // headers are out: the browser asks again
		}
	}
}

func sameStatus(a, b web.WaitStatus) bool {
	return a.State == b.State && a.Text == b.Text && slices.Equal(a.Lines, b.Lines)
}

// eventStream writes server-sent events (WHATWG HTML, section 9.2).
type eventStream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func newEventStream(w http.ResponseWriter) eventStream {
	web.SecureHeaders(w, web.FormsStay)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies: pass it on at once
	ctrl := http.NewResponseController(w)
	// The server's write timeout is meant for pages. Not every writer has one.
	_ = ctrl.SetWriteDeadline(time.Now().Add(2 * streamFor))
	_, _ = fmt.Fprint(w, "retry: 1000\n\n")
	return eventStream{w, ctrl}
}

func (e eventStream) send(status web.WaitStatus) error {
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "event: status\ndata: %s\n\n", data); err != nil {
		return err
	}
	return e.ctrl.Flush()
}

// retry makes the work due again and lets the sign-in wait afresh.
func (d *Driver) retry(w http.ResponseWriter, r *http.Request) error {
	s, _, err := d.postedFor(r)
	if err != nil {
		return err
	}
	v, err := d.waiting(r, s.ID)
	if err != nil {
		return err
	}
	if v.step.Action == ActionWait {
		if err := d.Gate.Retry(r.Context(), d.request(&s)); err != nil {
			return err
		}
		if err := d.move(r.Context(), s, func(s *SignIn) { *s = s.unprovisioned() }); err != nil {
			return err
		}
	}
	d.toResume(w, r, s)
	return nil
}

// leave sends the user back to the application with the reason they could not go
// on, or access_denied if they just did not want to.
func (d *Driver) leave(w http.ResponseWriter, r *http.Request) error {
	s, _, err := d.postedFor(r)
	if err != nil {
		return err
	}
	v, err := d.waiting(r, s.ID)
	if err != nil {
		return err
	}
	if s.Status == StatusOpen {
		if news(v.signIn, v.decision) {
			if _, err := d.Gate.Start(r.Context(), d.request(&v.signIn)); err != nil {
				return err
			}
		}
		failure, _ := v.failure(d.Now())
		if err := d.move(r.Context(), s, func(s *SignIn) { s.Leave, s.Failure = true, failure }); err != nil {
			return err
		}
	}
	d.toResume(w, r, s)
	return nil
}
