package op_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
)

// pairwise adds a confidential application with pairwise subjects.
func (s *server) pairwise(id provisioning.ClientID, change func(*application.Application)) application.Application {
	app := confidential()
	app.ClientID, app.SubjectType, app.IDTokenAlg, app.AuthMethod = id, application.SubjectPairwise, application.AlgES256, application.AuthPost
	app.AccessTokenFormat = application.TokenJWT
	app.RedirectURIs = []string{"https://" + string(id) + ".example/cb"}
	if change != nil {
		change(&app)
	}
	s.apps[id] = app
	return app
}

// asClient posts as any confidential application that has the secret of all.
func (s *server) asClient(app application.Application, path string, form url.Values) *httptest.ResponseRecorder {
	return s.do(post(path, params(form, "client_id", string(app.ClientID), "client_secret", appSecret.Reveal())))
}

func formOf(app application.Application, changes ...string) url.Values {
	return params(authorizeForm("client_id", string(app.ClientID), "redirect_uri", app.RedirectURIs[0], "scope", "openid offline_access"), changes...)
}

// signIn returns what the application gets for the user in the session.
func (s *server) signIn(t testing.TB, app application.Application, user provisioning.UserID, sid string) tokens {
	t.Helper()
	s.become(user, sid)
	code := s.code(t, formOf(app))
	return granted(t, s.asClient(app, op.PathToken, codeForm(code, "redirect_uri", app.RedirectURIs[0])))
}

// become makes the next sign-ins those of a user in a session.
func (s *server) become(user provisioning.UserID, sid string) {
	s.users.profile.ID = user
	s.signIns.prepare = func(row *flow.SignIn) { row.User, row.SID = user, sid }
}

// subs returns what every way of learning a sub says.
func (s *server) subs(t testing.TB, app application.Application, got tokens) map[string]any {
	t.Helper()
	var userinfo, access, refresh map[string]any
	for _, answer := range []struct {
		w    *httptest.ResponseRecorder
		into *map[string]any
	}{
		{s.userinfo(got.AccessToken), &userinfo},
		{s.asClient(app, op.PathIntrospect, url.Values{"token": {got.AccessToken}}), &access},
		{s.asClient(app, op.PathIntrospect, url.Values{"token": {got.RefreshToken}}), &refresh},
	} {
		if err := json.Unmarshal(answer.w.Body.Bytes(), answer.into); err != nil {
			t.Fatalf("%s: %v", answer.w.Body, err)
		}
	}
	payload, err := ring().VerifyAccessToken(t.Context(), got.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	var jwt map[string]any
	if err := json.Unmarshal(payload, &jwt); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"access token": jwt["sub"], "ID token": idClaims(t, got.IDToken)["sub"], "userinfo": userinfo["sub"], "introspection": access["sub"], "introspection of a refresh token": refresh["sub"]}
}

// known is who a value belongs to, in one direction and the other.
type known struct{ value, owner map[string]string }

// add fails when an owner has two values, or a value two owners.
func (k known) add(t testing.TB, what, owner, value string) {
	t.Helper()
	if had, ok := k.value[owner]; ok && had != value {
		t.Fatalf("%s of %s was %q and is %q", what, owner, had, value)
	}
	if had, ok := k.owner[value]; ok && had != owner {
		t.Fatalf("%s %q is of %s and of %s", what, value, had, owner)
	}
	k.value[owner], k.owner[value] = value, owner
}

// However applications, users, sessions and refreshes come together: who shares a
// sector sees one sub and sid, whoever does not never sees another's.
func TestPairwiseSubjects(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		apps := []application.Application{
			s.pairwise("wiki", nil),
			s.pairwise("wiki-too", func(a *application.Application) { a.RedirectURIs = []string{"https://WIKI.example:8443/other"} }),
			s.pairwise("payroll", nil),
			s.pairwise("group-1", func(a *application.Application) { a.SectorIdentifierURI = "https://group.example/redirects.json" }),
			s.pairwise("group-2", func(a *application.Application) { a.SectorIdentifierURI = "https://group.example/others.json" }),
			s.pairwise("local-1", func(a *application.Application) { a.RedirectURIs = []string{"http://127.0.0.1:9000/cb"} }),
			s.pairwise("local-2", func(a *application.Application) { a.RedirectURIs = []string{"http://127.0.0.1:9000/cb"} }),
			s.pairwise("open", func(a *application.Application) { a.SubjectType = "" }),
		}
		subs, sids := known{map[string]string{}, map[string]string{}}, known{map[string]string{}, map[string]string{}}
		see := func(app application.Application, user, sid string, got tokens) {
			t.Helper()
			sector := string(app.Sector())
			for where, sub := range s.subs(t, app, got) {
				text, _ := sub.(string)
				subs.add(t, "sub of the "+where, sector+" "+user, text)
				if (text == user) != (sector == "") {
					t.Fatalf("%s knows %s as %q", app.ClientID, user, text)
				}
			}
			text, _ := idClaims(t, got.IDToken)["sid"].(string)
			sids.add(t, "sid", sector+" "+sid, text)
		}
		for _, app := range apps {
			for sid, user := range map[string]string{"sid-1": "user-a", "sid-2": "user-a", "sid-3": "user-b"} {
				got := s.signIn(t, app, provisioning.UserID(user), sid)
				see(app, user, sid, got)
				see(app, user, sid, granted(t, s.asClient(app, op.PathToken, refreshForm(got.RefreshToken))))
			}
		}
	})
}

// What an application says a user is, it says in its own words.
func TestPairwiseSubjectsComeBack(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		app, other := s.pairwise("wiki", nil), s.pairwise("payroll", nil)
		mine := s.signIn(t, app, alice, "sid-1").IDToken
		theirs := s.signIn(t, other, alice, "sid-1").IDToken
		sub, _ := idClaims(t, mine)["sub"].(string)
		foreign, _ := idClaims(t, theirs)["sub"].(string)
		claims := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
		for name, c := range map[string]struct {
			changes []string
			want    string
		}{
			"its sub":                {[]string{"claims", claims(sub)}, ""},
			"another sector's sub":   {[]string{"claims", claims(foreign)}, "login_required"},
			"the user's id":          {[]string{"claims", claims(string(alice))}, "login_required"},
			"its ID token":           {[]string{"id_token_hint", mine}, ""},
			"another's ID token":     {[]string{"id_token_hint", theirs}, "login_required"},
			"one with the user's id": {[]string{"id_token_hint", hint(t, keys.TypeIDToken, map[string]any{"aud": "wiki"})}, "login_required"},
		} {
			if q := redirected(t, s.authorize(formOf(app, c.changes...))); q.Get("error") != c.want {
				t.Errorf("%s: %v; want error %q", name, q, c.want)
			}
		}
		for name, c := range map[string]struct {
			hint string
			want flow.SignOutRequest
		}{
			"its ID token":           {mine, flow.SignOutRequest{Client: "wiki", User: alice, SID: s.subjects.SID("wiki.example", "sid-1"), Sector: "wiki.example"}},
			"one with the user's id": {hint(t, keys.TypeIDToken, map[string]any{"aud": "wiki"}), flow.SignOutRequest{Client: "wiki", SID: "sid-1", Sector: "wiki.example"}},
			"another sector's sub":   {hint(t, keys.TypeIDToken, map[string]any{"aud": "wiki", "sub": foreign}), flow.SignOutRequest{Client: "wiki", SID: "sid-1", Sector: "wiki.example"}},
		} {
			s.signIns.out = nil
			s.logout(url.Values{"id_token_hint": {c.hint}})
			if len(s.signIns.out) != 1 || s.signIns.out[0] != c.want {
				t.Errorf("%s: sign-outs %+v, want %+v", name, s.signIns.out, c.want)
			}
		}
	})
}

// Many first sign-ins of a user at once agree on one subject.
func TestPairwiseSubjectIsMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.pairwise("wiki", nil)
		s.become(alice, "sid-1")
		app := s.apps["wiki"]
		answers := make([]*httptest.ResponseRecorder, 8)
		done := make(chan int)
		for i := range answers {
			go func() {
				answers[i] = s.authorize(formOf(app))
				done <- i
			}()
		}
		for range answers {
			<-done
		}
		subs := map[any]bool{}
		for _, w := range answers {
			code := redirected(t, w).Get("code")
			got := granted(t, s.asClient(app, op.PathToken, codeForm(code, "redirect_uri", app.RedirectURIs[0])))
			subs[idClaims(t, got.IDToken)["sub"]] = true
		}
		if len(subs) != 1 || s.count(t, "pairwise_subject") != 1 {
			t.Errorf("%d subjects in %d rows, want 1", len(subs), s.count(t, "pairwise_subject"))
		}
	})
}

// A device's tokens name the user as the application's other tokens do.
func TestPairwiseDevice(t *testing.T) {
	s := lite(t)
	app := s.pairwise("app", func(a *application.Application) {
		a.AuthMethod, a.RedirectURIs = application.AuthBasic, []string{callback}
	})
	s.become(alice, "sid-1")
	browser := granted(t, s.token(codeForm(s.code(t, formOf(app)))))
	asked := s.device(t, "openid offline_access")
	s.allowDevice(t, asked)
	device := granted(t, s.token(deviceForm(asked)))
	want := idClaims(t, browser.IDToken)
	for _, token := range []string{device.IDToken, granted(t, s.token(refreshForm(device.RefreshToken))).IDToken} {
		if got := idClaims(t, token); got["sub"] != want["sub"] || got["sub"] == string(alice) || got["sid"] != want["sid"] {
			t.Errorf("a device knows the user by %v and %v, the browser by %v and %v", got["sub"], got["sid"], want["sub"], want["sid"])
		}
	}
}

// A grant that was made while its application changed is of no use: what it has is
// the user's id, or what the application can make nothing of.
func TestGrantOfAnotherSubjectType(t *testing.T) {
	s := lite(t)
	for _, before := range []application.SubjectType{application.SubjectPublic, application.SubjectPairwise} {
		app := s.pairwise("wiki", func(a *application.Application) { a.SubjectType = before })
		got := s.signIn(t, app, alice, "sid-1")
		code := s.code(t, formOf(app))
		after := application.SubjectPairwise
		if before == after {
			after = application.SubjectPublic
		}
		app = s.pairwise("wiki", func(a *application.Application) { a.SubjectType = after })
		refused(t, s.asClient(app, op.PathToken, codeForm(code, "redirect_uri", app.RedirectURIs[0])), http.StatusBadRequest, "invalid_grant")
		refused(t, s.asClient(app, op.PathToken, refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_grant")
	}
}

// Neither tokens nor answers have the user's id.
func TestPairwiseHidesTheUser(t *testing.T) {
	s := lite(t)
	app := s.pairwise("wiki", nil)
	got := s.signIn(t, app, alice, "sid-1")
	for where, text := range map[string]string{
		"ID token": fmt.Sprint(idClaims(t, got.IDToken)), "userinfo": s.userinfo(got.AccessToken).Body.String(),
		"introspection": s.asClient(app, op.PathIntrospect, url.Values{"token": {got.AccessToken}}).Body.String(),
	} {
		if strings.Contains(text, string(alice)) || strings.Contains(text, "sid-1") {
			t.Errorf("%s tells the user's id or the session's: %s", where, text)
		}
	}
}
