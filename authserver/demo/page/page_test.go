package page_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/page"
)

func TestRenderEscapesAndForbidsScripts(t *testing.T) {
	p := page.Parse("test", `{{define "title"}}T{{end}}{{define "body"}}<p>{{.}}</p>{{end}}`)
	w := httptest.NewRecorder()
	if err := p.Render(w, 418, "<script>"); err != nil {
		t.Fatal(err)
	}
	body := w.Body.String()
	if w.Code != 418 || !strings.Contains(body, "<p>&lt;script&gt;</p>") || !strings.Contains(body, "<title>T</title>") {
		t.Errorf("%d %s", w.Code, body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
}

func TestRenderWritesNothingOnAMistake(t *testing.T) {
	p := page.Parse("test", `{{define "title"}}T{{end}}{{define "body"}}{{.Missing}}{{end}}`)
	w := httptest.NewRecorder()
	if err := p.Render(w, 200, 1); err == nil || w.Body.Len() > 0 {
		t.Errorf("error %v, wrote %q", err, w.Body)
	}
}
