package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const pageHTML = `<!doctype html><title>Hello</title><noscript><meta http-equiv=refresh content="2; url=/x"></noscript>
<p>Some <b>text</b></p><script>not text</script>
<form method=post action=/send?a=1><input type=hidden name=token value=t1><input name=login><button>Go</button></form>`

func site(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "1"})
		_, _ = fmt.Fprint(w, pageHTML)
	})
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("c")
		if err != nil {
			http.Error(w, "no cookie", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "/done?"+url.Values{"got": {r.FormValue("login"), r.FormValue("token"), cookie.Value, r.Header.Get("Origin")}}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, strings.Join(r.URL.Query()["got"], "|"))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestPageAndForm(t *testing.T) {
	srv, b := site(t), New()
	p, err := b.Get(t.Context(), srv.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	if p.Title != "Hello" || p.Text != "Some text Go" || p.Refresh != 2*time.Second {
		t.Errorf("page = %q, %q, refresh %s", p.Title, p.Text, p.Refresh)
	}
	p, err = b.Submit(t.Context(), p, "/send", map[string]string{"login": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("alice|t1|1|"+srv.URL, p.Text); diff != "" {
		t.Errorf("what the form sent (-want +got):\n%s", diff)
	}
}

func TestSubmitRefusesAFieldThatIsNotThere(t *testing.T) {
	srv, b := site(t), New()
	p, err := b.Get(t.Context(), srv.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Submit(t.Context(), p, "/send", map[string]string{"nope": "x"}); err == nil {
		t.Error("Submit filled a field that the form lacks")
	}
	if _, err := b.Submit(t.Context(), p, "/other", nil); err == nil {
		t.Error("Submit sent a form that is not there")
	}
}

func TestStopAtRedirect(t *testing.T) {
	srv, b := site(t), New()
	b.Stop = func(u *url.URL) bool { return u.Path == "/done" }
	p, err := b.Get(t.Context(), srv.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	p, err = b.Submit(t.Context(), p, "/send", map[string]string{"login": "alice"})
	if err != nil || p.Location == nil || p.URL.Path != "/done" {
		t.Errorf("page = %+v, %v; want the redirect itself", p, err)
	}
}
