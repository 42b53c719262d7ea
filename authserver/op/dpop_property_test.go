package op_test

import (
	"net/http"
	"testing"

	"pgregory.net/rapid"
)

// family is what a public application's refresh tokens should do, whatever is tried with
// them: see docs/openid.md.
type family struct {
	tokens  []held
	newest  int
	revoked bool
}

// held is a refresh token as its application knows it.
type held struct {
	text       string
	generation int
	key        int // that it is bound to; 0 for none
	used       bool
}

// expect returns the error of a refresh with that key, "" if there is none, and moves on.
func (f *family) expect(i, key int) string {
	t := f.tokens[i]
	usable := t.generation == f.newest && !t.used || t.generation+1 == f.newest && t.used
	switch {
	case !usable || f.revoked:
		f.revoked = true
		return "invalid_grant"
	case t.key != 0 && key == 0:
		return "invalid_dpop_proof"
	case t.key != 0 && key != t.key:
		return "invalid_grant"
	}
	f.tokens[i].used = true
	f.newest = t.generation + 1
	f.tokens = append(f.tokens, held{generation: f.newest, key: key})
	return ""
}

// Along any path of refreshes, with any key or none, with old tokens and repeated ones, a
// token that was bound is never taken without its key, and what is refused for its key
// costs nothing.
func TestDPoPRefreshProperty(t *testing.T) {
	s := lite(t)
	app := s.apps["native"]
	app.RefreshGrace = "1m"
	s.apps["native"] = app
	keys := []holder{{}, newHolder(t), newHolder(t)}
	refresh := func(text string, key int) (string, tokens) {
		var proofs []string
		if key != 0 {
			proofs = []string{keys[key].forToken(t, s)}
		}
		w := s.native(refreshForm(text), proofs...)
		got := decodeTokens(t, w)
		if w.Code == http.StatusOK && (got.TokenType == "DPoP") != (key != 0) {
			t.Errorf("refreshed with key %d, the token type is %s", key, got.TokenType)
		}
		return got.Error, got
	}
	rapid.Check(t, func(rt *rapid.T) {
		code := codeForm(s.code(t, nativeForm()), "redirect_uri", "com.example.app:/cb")
		first := granted(t, s.native(code))
		f := &family{tokens: []held{{text: first.RefreshToken, generation: 1}}, newest: 1}
		for range rapid.IntRange(2, 7).Draw(rt, "refreshes") {
			// The last ones more often: an old one ends the family.
			back := min(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(rt, "back"), len(f.tokens)-1)
			i, key := len(f.tokens)-1-back, rapid.IntRange(0, 2).Draw(rt, "key")
			text := f.tokens[i].text
			want := f.expect(i, key)
			got, next := refresh(text, key)
			if got != want {
				rt.Fatalf("token %d with key %d: %q, want %q", i, key, got, want)
			}
			if want == "" {
				f.tokens[len(f.tokens)-1].text = next.RefreshToken
			}
		}
	})
}
