package expression_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/provisioning/expression"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ada": "Ada", "Zoë Ångström-Österß": "Zoe Angstrom-Osterss", "Łukasz": "Lukasz", "Søren": "Soren", "Þór": "Thor",
		"Ævar": "AEvar", "Đorđe": "Dorde", "Nguyễn": "Nguyen", "Dvořák": "Dvorak", "İpek Işık": "Ipek Isik", "O’Neil": "O'Neil",
		"u\u0308ber": "uber", "ﬁ": "fi", "Иван": "Иван", "李小龍": "李小龍", "한국": "한국", "x\u200d": "x\u200d",
	} {
		if got := expression.Normalise(in); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ada.Lovelace": "ada.lovelace", "van der Berg": "vanderberg", "O'Neil": "oneil", "Zoë  Österß": "zoeosterss",
		"..a..b--c__": "a.b-c", "a.-b": "a.b", "-.-": "", "李小龍": "", "Иван 3": "3", "a@b": "ab", "Jean–Luc": "jean-luc",
	} {
		if got := expression.Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"Ada", "ADA"}, {"straße", "STRASSE"}, {"Zoë", "Zoe\u0308"}, {"ﬁn", "FIN"}, {"Σας", "ΣΑΣ"}} {
		if a, b := expression.Fold(pair[0]), expression.Fold(pair[1]); a != b {
			t.Errorf("Fold(%q) = %q, Fold(%q) = %q", pair[0], a, pair[1], b)
		}
	}
	if expression.Fold("ada") == expression.Fold("adá") {
		t.Error("a letter and its base fold alike: they are two logins")
	}
}

// TestTexts holds for any text: a slug has only what it may have and is its own slug,
// and what is folded or normalised stays so.
func TestTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		slug := expression.Slug(s)
		if strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.Trim(slug, "._-") != slug || expression.Slug(slug) != slug {
			t.Errorf("Slug(%q) = %q", s, slug)
		}
		if n := expression.Normalise(s); expression.Normalise(n) != n || !utf8.ValidString(n) {
			t.Errorf("Normalise(%q) = %q, then %q", s, n, expression.Normalise(n))
		}
		if f := expression.Fold(s); expression.Fold(f) != f {
			t.Errorf("Fold(%q) = %q, then %q", s, f, expression.Fold(f))
		}
	})
}
