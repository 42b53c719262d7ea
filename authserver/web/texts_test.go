package web

import (
	"net/http"
	"testing"
	"testing/fstest"
)

func TestLanguageIsNegotiated(t *testing.T) {
	texts, err := loadTexts(fstest.MapFS{
		"texts/en.json":    {Data: []byte(`{"a": "A", "b": "B"}`)},
		"texts/de.json":    {Data: []byte(`{"a": "Ä"}`)},
		"texts/pt-br.json": {Data: []byte(`{"a": "Ã"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &Renderer{texts: texts}
	for _, c := range []struct{ locales, accept, want string }{
		{"", "", "en"},
		{"de", "en", "de"},
		{"fr de-CH", "", "de"},
		{"", "fr, de-AT;q=0.5, en;q=0.4", "de"},
		{"", "de;q=0.1, en;q=0.2", "en"},
		{"", "de;q=0, en;q=0.2", "en"},
		{"PT-BR", "", "pt-br"},
		{"pt", "", "en"},
		{"../../x", "*", "en"},
	} {
		r := &http.Request{Header: http.Header{"Accept-Language": {c.accept}}}
		if got := v.Texts(r, c.locales); got.Lang != c.want {
			t.Errorf("ui_locales %q, Accept-Language %q: %s, want %s", c.locales, c.accept, got.Lang, c.want)
		}
	}
	if de := v.texts["de"]; de.T("a") != "Ä" || de.T("b") != "B" {
		t.Error("what is not translated is not English")
	}
}

func TestTextsNeedEnglish(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"none": {}, "German only": {"texts/de.json": {Data: []byte(`{}`)}}, "broken": {"texts/en.json": {Data: []byte(`{`)}},
	} {
		if _, err := loadTexts(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
