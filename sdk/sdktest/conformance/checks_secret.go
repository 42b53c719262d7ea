package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

func secretChecks() []Check {
	return []Check{
		{ID: "secret/echo", Demand: "shows neither secrets nor the user's values when the target's answer repeats them", Proxy: true, run: secretEcho},
		{ID: "secret/redirect", Demand: "does not carry credentials to another host it is sent to", Proxy: true, run: secretRedirect},
		{ID: "secret/nowhere", Demand: "has shown no secret in any answer, failure or log line of the run", Bare: true, run: secretNowhere},
		{ID: "secret/no-user-values", Demand: "has repeated no user's value in any failure of the run", Bare: true, run: secretValues},
	}
}

// echo answers with everything that was sent, as debugging pages do.
func echo(code int) faultproxy.Fault {
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		var sent strings.Builder
		for name, values := range r.Header {
			fmt.Fprintf(&sent, "%s: %s ", name, strings.Join(values, ", "))
		}
		body := fmt.Sprintf(`{"error":%q,"detail":%q,"message":%q}`, sent.String(), sent.String(), r.URL.String()+" "+sent.String())
		faultproxy.Status(code, http.Header{"Content-Type": {"application/json"}}, body)(w, r, upstream)
	}
}

// secretEcho makes calls fail with an echo; what they say is looked at here and
// by the checks of the whole run.
func secretEcho(ctx context.Context, s *Session) error {
	leaks, values := len(s.watch.seen()), s.watch.valuesSeen()
	for _, code := range []int{400, 401, 403, 500} {
		for _, v := range []verb{lookupVerb(), createVerb()} {
			if _, err := s.suffer(ctx, echo(code), v); err != nil {
				return err
			}
		}
	}
	var problems []error
	if seen := s.watch.seen(); len(seen) > leaks {
		problems = append(problems, differs("no secret in the failure", "%s", seen[len(seen)-1]))
	}
	if seen := s.watch.valuesSeen(); seen > values {
		problems = append(problems, differs("no user's value in the failure", "%s", s.watch.lastValue()))
	}
	return errors.Join(problems...)
}

// secretRedirect sends the connector to another host name of this machine.
func secretRedirect(ctx context.Context, s *Session) error {
	if s.watch.watched() == 0 {
		return notRun("there is no secret of six characters or more to look for")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var leaked atomic.Value
	elsewhere := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if secret := s.watch.finds(strings.Join(values, " ")); secret != "" {
				leaked.Store(fmt.Sprintf("%s in the header %s", secret, name))
			}
		}
		w.WriteHeader(http.StatusNotFound)
	})}
	go func() { _ = elsewhere.Serve(listener) }()
	defer elsewhere.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	away := faultproxy.Status(http.StatusTemporaryRedirect, http.Header{"Location": {"http://localhost:" + port + "/elsewhere"}}, "")
	for _, v := range []verb{lookupVerb(), createVerb()} {
		outcome, err := s.suffer(ctx, away, v)
		if err != nil {
			return err
		}
		if secret := leaked.Load(); secret != nil {
			return differs("no secret reaches the other host", "%s", secret)
		}
		if outcome == nil && v.name == "Create" {
			return differs("Create fails when the target sends it elsewhere", "success")
		}
	}
	return nil
}

func secretNowhere(_ context.Context, s *Session) error {
	seen := s.watch.seen()
	switch {
	case len(seen) > 0:
		return differs("no secret is shown", "%s", strings.Join(seen, "; "))
	case s.hasSecrets() && s.watch.watched() == 0:
		return notRun("no secret has six characters or more, so none can be looked for")
	}
	return nil
}

func (s *Session) hasSecrets() bool {
	for _, f := range s.desc.Config {
		if f.Secret {
			return true
		}
	}
	return false
}

func secretValues(_ context.Context, s *Session) error {
	if n := s.watch.valuesSeen(); n > 0 {
		return differs("no failure repeats a user's value", "%d do, the last of %s", n, s.watch.lastValue())
	}
	return nil
}
