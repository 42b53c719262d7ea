package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
)

// native posts a token request of the public application, with proofs.
func (s *server) native(form url.Values, proofs ...string) *httptest.ResponseRecorder {
	r := post(op.PathToken, params(form, "client_id", "native"))
	r.Header["Dpop"] = proofs
	return s.do(r)
}

func (h holder) forToken(t testing.TB, s *server) string {
	t.Helper()
	return h.proof(t, s, http.MethodPost, op.PathToken, nil, nil)
}

// nativeTokens signs in to the public application with a proof.
func (s *server) nativeTokens(t testing.TB, h holder) tokens {
	t.Helper()
	form := codeForm(s.code(t, nativeForm()), "redirect_uri", "com.example.app:/cb")
	return granted(t, s.native(form, h.forToken(t, s)))
}

// A public application's refresh tokens are good for its key alone, from one to the
// next, and also when an answer got lost.
func TestDPoPRefreshOfPublicClient(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		app := s.apps["native"]
		app.RefreshGrace = "1m"
		s.apps["native"] = app
		h := newHolder(t)
		first := s.nativeTokens(t, h)
		if first.TokenType != "DPoP" {
			t.Errorf("tokens = %+v", first)
		}
		refused(t, s.native(refreshForm(first.RefreshToken)), http.StatusBadRequest, "invalid_dpop_proof")
		refused(t, s.native(refreshForm(first.RefreshToken), newHolder(t).forToken(t, s)), http.StatusBadRequest, "invalid_grant")
		lost := granted(t, s.native(refreshForm(first.RefreshToken), h.forToken(t, s)))
		// Within the grace the parent is bound as well.
		refused(t, s.native(refreshForm(first.RefreshToken)), http.StatusBadRequest, "invalid_dpop_proof")
		refused(t, s.native(refreshForm(first.RefreshToken), newHolder(t).forToken(t, s)), http.StatusBadRequest, "invalid_grant")
		again := granted(t, s.native(refreshForm(first.RefreshToken), h.forToken(t, s)))
		refused(t, s.native(refreshForm(again.RefreshToken)), http.StatusBadRequest, "invalid_dpop_proof")
		refused(t, s.native(refreshForm(again.RefreshToken), newHolder(t).forToken(t, s)), http.StatusBadRequest, "invalid_grant")
		next := granted(t, s.native(refreshForm(again.RefreshToken), h.forToken(t, s)))
		if next.TokenType != "DPoP" || next.IDToken == "" {
			t.Errorf("refreshed = %+v", next)
		}
		if w := s.resource("DPoP "+next.AccessToken, h.proof(t, s, http.MethodGet, op.PathUserinfo, nil, map[string]any{"ath": hashOf(next.AccessToken)})); w.Code != http.StatusOK {
			t.Errorf("userinfo = %d %s", w.Code, w.Body)
		}
		// The reuse of an old one ends the family, whoever has the key.
		refused(t, s.native(refreshForm(lost.RefreshToken), h.forToken(t, s)), http.StatusBadRequest, "invalid_grant")
		refused(t, s.native(refreshForm(next.RefreshToken), h.forToken(t, s)), http.StatusBadRequest, "invalid_grant")
	})
}

// A public application may begin to use a key, and is held to it from then on.
func TestDPoPBegunLater(t *testing.T) {
	s := lite(t)
	form := codeForm(s.code(t, nativeForm()), "redirect_uri", "com.example.app:/cb")
	first := granted(t, s.native(form))
	if first.TokenType != "Bearer" {
		t.Errorf("tokens = %+v", first)
	}
	h := newHolder(t)
	second := granted(t, s.native(refreshForm(first.RefreshToken), h.forToken(t, s)))
	refused(t, s.native(refreshForm(second.RefreshToken)), http.StatusBadRequest, "invalid_dpop_proof")
	granted(t, s.native(refreshForm(second.RefreshToken), h.forToken(t, s)))
}

// An application that authenticates may change its key, or do without one.
func TestDPoPRefreshOfConfidentialClient(t *testing.T) {
	s := lite(t)
	first := granted(t, s.proving(op.PathToken, codeForm(s.code(t, authorizeForm())), newHolder(t).forToken(t, s)))
	if info := s.introspect(t, first.RefreshToken); info["active"] != true || info["cnf"] != nil {
		t.Errorf("introspection = %v, want a refresh token that is bound to no key", info)
	}
	h := newHolder(t)
	second := granted(t, s.proving(op.PathToken, refreshForm(first.RefreshToken), h.forToken(t, s)))
	cnf, _ := s.introspect(t, second.AccessToken)["cnf"].(map[string]any)
	if second.TokenType != "DPoP" || cnf["jkt"] != h.jkt(t) {
		t.Errorf("refreshed with another key: %+v, cnf %v", second, cnf)
	}
	if third := granted(t, s.token(refreshForm(second.RefreshToken))); third.TokenType != "Bearer" || s.userinfo(third.AccessToken).Code != http.StatusOK {
		t.Errorf("refreshed without a key: %+v", third)
	}
}

// A code that was asked for with a key is redeemed with that key, however the request
// named it. What is refused costs nothing.
func TestDPoPCode(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		h := newHolder(t)
		forPAR := func() string { return h.proof(t, s, http.MethodPost, op.PathPushed, nil, nil) }
		with := authorizeForm("dpop_jkt", h.jkt(t))
		for name, code := range map[string]string{
			"parameter":                s.code(t, with),
			"parameter, pushed":        s.code(t, s.pushed(t, with)),
			"pushed with proof":        s.code(t, continued(t, s.proving(op.PathPushed, authorizeForm(), forPAR()))),
			"parameter and proof":      s.code(t, continued(t, s.proving(op.PathPushed, with, forPAR()))),
			"beside a pushed request":  s.code(t, params(s.pushed(t, with), "dpop_jkt", newHolder(t).jkt(t))),
			"proof, waiting, redeemed": s.code(t, continued(t, s.proving(op.PathPushed, authorizeForm(), forPAR()))),
		} {
			refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_dpop_proof")
			refused(t, s.proving(op.PathToken, codeForm(code), newHolder(t).forToken(t, s)), http.StatusBadRequest, "invalid_grant")
			if got := granted(t, s.proving(op.PathToken, codeForm(code), h.forToken(t, s))); got.TokenType != "DPoP" {
				t.Errorf("%s: tokens = %+v", name, got)
			}
		}
	})
}

func TestDPoPRequestRefused(t *testing.T) {
	s := lite(t)
	h := newHolder(t)
	for _, jkt := range []string{"x", strings.Repeat("x", 44), strings.Repeat("=", 43)} {
		if q := redirected(t, s.authorize(authorizeForm("dpop_jkt", jkt))); q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), "dpop_jkt") {
			t.Errorf("dpop_jkt %q: %v", jkt, q)
		}
	}
	if q := redirected(t, s.do(httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?"+authorizeForm("dpop_jkt", h.jkt(t)).Encode()+"&dpop_jkt="+h.jkt(t), nil))); q.Get("error") != "invalid_request" {
		t.Errorf("dpop_jkt twice: %v", q)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another key":     s.proving(op.PathPushed, authorizeForm("dpop_jkt", newHolder(t).jkt(t)), h.proof(t, s, http.MethodPost, op.PathPushed, nil, nil)),
		"for the token":   s.proving(op.PathPushed, authorizeForm(), h.forToken(t, s)),
		"two proofs":      s.proving(op.PathPushed, authorizeForm(), h.proof(t, s, http.MethodPost, op.PathPushed, nil, nil), "x"),
		"no proof at all": s.proving(op.PathPushed, authorizeForm(), "x"),
	} {
		if refused(t, w, http.StatusBadRequest, "invalid_dpop_proof"); t.Failed() {
			t.Fatalf("%s", name)
		}
	}
	if n := s.count(t, "pushed_request") + s.count(t, "dpop_proof"); n != 0 {
		t.Errorf("%d rows were kept", n)
	}
	again := h.proof(t, s, http.MethodPost, op.PathPushed, nil, nil)
	continued(t, s.proving(op.PathPushed, authorizeForm(), again))
	refused(t, s.proving(op.PathPushed, authorizeForm(), again), http.StatusBadRequest, "invalid_dpop_proof")
}

// An application that wants its tokens bound gets none without a proof, by no grant.
func TestDPoPRequired(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.DPoPBoundAccessTokens = true
	s.apps["app"] = app
	h := newHolder(t)
	code := s.code(t, authorizeForm())
	refused(t, s.token(codeForm(code)), http.StatusBadRequest, "invalid_dpop_proof")
	got := granted(t, s.proving(op.PathToken, codeForm(code), h.forToken(t, s)))
	refused(t, s.token(refreshForm(got.RefreshToken)), http.StatusBadRequest, "invalid_dpop_proof")
	granted(t, s.proving(op.PathToken, refreshForm(got.RefreshToken), h.forToken(t, s)))
	refused(t, s.token(ownForm), http.StatusBadRequest, "invalid_dpop_proof")
	granted(t, s.proven(h.forToken(t, s)))
	for hash, bound := range s.bindings(t) {
		if bound == "" {
			t.Errorf("access token %x is bound to no key", hash)
		}
	}
}

func (s *server) bindings(t *testing.T) map[string]string {
	t.Helper()
	rows, err := s.db.Query(t.Context(), "SELECT hash, jkt FROM oauth_access")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	all := map[string]string{}
	for rows.Next() {
		var hash []byte
		var jkt string
		if err := rows.Scan(&hash, &jkt); err != nil {
			t.Fatal(err)
		}
		all[string(hash)] = jkt
	}
	if rows.Err() != nil || len(all) == 0 {
		t.Fatalf("%d rows, %v", len(all), rows.Err())
	}
	return all
}

// A proof does not outlive its minute by much, and the token it got lives on.
func TestDPoPProofExpires(t *testing.T) {
	s := lite(t)
	h := newHolder(t)
	text := h.forToken(t, s)
	s.clock.advance(91 * time.Second)
	refused(t, s.proven(text), http.StatusBadRequest, "invalid_dpop_proof")
	var said struct {
		Algs []string `json:"dpop_signing_alg_values_supported"`
	}
	w := s.do(httptest.NewRequest(http.MethodGet, op.PathDiscovery, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || strings.Join(said.Algs, " ") != "ES256 RS256 PS256 EdDSA" {
		t.Errorf("discovery says %v, %v", said.Algs, err)
	}
}
