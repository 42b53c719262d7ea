package subject_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/outbound"
	"github.com/anteroom-id/anteroom/authserver/subject"
)

// sector serves a document and counts how often.
type sector struct {
	status int
	body   string
	asked  int
}

func (s *sector) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.asked++
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func fields(t *testing.T, err error) []string {
	t.Helper()
	var problems application.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var names []string
	for _, p := range problems {
		names = append(names, p.Field)
	}
	return names
}

func TestSectorMustListTheApplication(t *testing.T) {
	doc := &sector{}
	server := httptest.NewServer(doc)
	defer server.Close()
	sectors := subject.Sectors{HTTP: server.Client()}
	a := application.New("app", "App")
	a.RedirectURIs, a.SectorIdentifierURI = []string{"https://a.example/cb", "https://b.example/cb"}, server.URL+"/redirects.json"
	for name, c := range map[string]struct {
		status int
		body   string
		want   []string
	}{
		"all":         {200, `["https://b.example/cb", "https://c.example/", "https://a.example/cb"]`, nil},
		"one missing": {200, `["https://a.example/cb"]`, []string{"redirect_uris[1]"}},
		"almost":      {200, `["https://a.example/cb/", "https://B.example/cb"]`, []string{"redirect_uris[0]", "redirect_uris[1]"}},
		"nobody":      {200, `[]`, []string{"redirect_uris[0]", "redirect_uris[1]"}},
		"null":        {200, `null`, []string{"sector_identifier_uri"}},
		"an object":   {200, `{"redirect_uris": []}`, []string{"sector_identifier_uri"}},
		"a number":    {200, `["https://a.example/cb", 7]`, []string{"sector_identifier_uri"}},
		"a page":      {200, `<html>`, []string{"sector_identifier_uri"}},
		"elsewhere":   {302, `["https://b.example/cb", "https://a.example/cb"]`, []string{"sector_identifier_uri"}},
		"not found":   {404, `["https://b.example/cb", "https://a.example/cb"]`, []string{"sector_identifier_uri"}},
		"too much":    {200, `["` + strings.Repeat("x", 256<<10) + `"]`, []string{"sector_identifier_uri"}},
	} {
		doc.status, doc.body = c.status, c.body
		client := *server.Client()
		client.CheckRedirect = outbound.NewClient(nil).CheckRedirect
		sectors.HTTP = &client
		if diff := cmp.Diff(c.want, fields(t, sectors.Check(t.Context(), application.Application{}, a))); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
	}
	sectors.HTTP = outbound.NewClient(nil)
	if got := fields(t, sectors.Check(t.Context(), application.Application{}, a)); !cmp.Equal(got, []string{"sector_identifier_uri"}) {
		t.Errorf("an address inside: %v", got)
	}
}

// An address that does not answer today must not be in the way of other changes.
func TestSectorIsAskedWhenItMatters(t *testing.T) {
	doc := &sector{status: 200, body: `["https://a.example/cb", "https://b.example/cb"]`}
	server := httptest.NewServer(doc)
	defer server.Close()
	sectors := subject.Sectors{HTTP: server.Client()}
	a := application.New("app", "App")
	a.RedirectURIs, a.SectorIdentifierURI = []string{"https://a.example/cb"}, server.URL
	for _, step := range []struct {
		name   string
		change func(*application.Application)
		asked  int
	}{
		{"nothing", func(*application.Application) {}, 0},
		{"the name", func(a *application.Application) { a.Name = "Other" }, 0},
		{"fewer redirect URIs", func(a *application.Application) { a.RedirectURIs = nil }, 0},
		{"another redirect URI", func(a *application.Application) { a.RedirectURIs = []string{"https://b.example/cb"} }, 1},
		{"another document", func(a *application.Application) { a.SectorIdentifierURI = server.URL + "/2" }, 1},
		{"no document", func(a *application.Application) { a.SectorIdentifierURI = "" }, 0},
	} {
		wanted := a
		doc.asked = 0
		step.change(&wanted)
		if err := sectors.Check(t.Context(), a, wanted); err != nil || doc.asked != step.asked {
			t.Errorf("%s: %v, asked %d times, want %d", step.name, err, doc.asked, step.asked)
		}
	}
}

// FuzzSector feeds what other servers say.
func FuzzSector(f *testing.F) {
	for _, seed := range []string{`[]`, `["https://a.example/cb"]`, `null`, `[null]`, `{`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		sectors := subject.Sectors{HTTP: &http.Client{Transport: answer(body)}}
		a := application.New("app", "App")
		a.RedirectURIs, a.SectorIdentifierURI = []string{"https://a.example/cb"}, "https://s.example"
		if err := sectors.Check(t.Context(), application.Application{}, a); err == nil && !strings.Contains(body, `a.example`) && !strings.Contains(body, `\`) {
			t.Errorf("%q lists the application", body)
		}
	})
}

type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
