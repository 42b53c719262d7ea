package peers_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

func TestServersListNobodyAndWantTheToken(t *testing.T) {
	for _, name := range []string{peers.Scimmy, peers.BetterAuth} {
		t.Run(name, func(t *testing.T) {
			server := peers.Start(t, name)
			for token, want := range map[string]int{server.Token: http.StatusOK, "wrong": http.StatusUnauthorized} {
				status, total := users(t, server.BaseURL, token)
				if status != want || total != 0 {
					t.Errorf("status %d with %d users, want %d with none", status, total, want)
				}
			}
		})
	}
}

func users(t *testing.T, base, token string) (status, total int) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/Users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		TotalResults int `json:"totalResults"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, list.TotalResults
}

// TestDependenciesArePinned keeps the lock free of hosts: where packages come
// from is the installer's business.
func TestDependenciesArePinned(t *testing.T) {
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	read(t, "package.json", &manifest)
	for name, version := range manifest.Dependencies {
		if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
			t.Errorf("%s is %q, want one exact version", name, version)
		}
	}
	var lock struct {
		Packages map[string]struct {
			Version   string `json:"version"`
			Integrity string `json:"integrity"`
			Resolved  string `json:"resolved"`
		} `json:"packages"`
	}
	read(t, "package-lock.json", &lock)
	if len(lock.Packages) < len(manifest.Dependencies) {
		t.Fatalf("the lock has %d packages", len(lock.Packages))
	}
	for path, p := range lock.Packages {
		if path != "" && (p.Resolved != "" || p.Integrity == "" || p.Version == "") {
			t.Errorf("%s: version %q, integrity %q, resolved %q", path, p.Version, p.Integrity, p.Resolved)
		}
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
