package op_test

import (
	"net/http"
	"testing"
)

// BenchmarkCodeFlow is an authorization with a session and its code exchange,
// on SQLite on disk, with two transactions synced to it.
func BenchmarkCodeFlow(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			s := lite(b)
			app := s.apps["app"]
			app.IDTokenAlg = alg
			s.apps["app"] = app
			for b.Loop() {
				if w := s.token(codeForm(s.code(b, authorizeForm()))); w.Code != http.StatusOK {
					b.Fatalf("token = %d %s", w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
		})
	}
}

func BenchmarkRefresh(b *testing.B) {
	s := lite(b)
	app := s.apps["app"]
	app.IDTokenAlg = "ES256"
	s.apps["app"] = app
	token := granted(b, s.token(codeForm(s.code(b, authorizeForm())))).RefreshToken
	for b.Loop() {
		token = granted(b, s.token(refreshForm(token))).RefreshToken
	}
}
