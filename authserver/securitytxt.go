package authserver

import (
	"fmt"
	"net/http"
	"time"
)

// SecurityTxt serves where to report vulnerabilities (RFC 9116).
type SecurityTxt struct {
	Issuer  string
	Contact string // a URL; "" serves nothing
	Now     func() time.Time
}

const securityTxtPath = "/.well-known/security.txt"

// securityTxtFor is how long the file holds. The configuration vouches for it as
// long as the server runs; the RFC wants less than a year.
const securityTxtFor = 90 * 24 * time.Hour

// Mount serves the file, if there is anything to say.
func (s SecurityTxt) Mount(mux *http.ServeMux) {
	if s.Contact == "" {
		return
	}
	mux.HandleFunc("GET "+securityTxtPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = fmt.Fprintf(w, "Contact: %s\nExpires: %s\nCanonical: %s\nPreferred-Languages: en\n",
			s.Contact, s.Now().Add(securityTxtFor).UTC().Truncate(24*time.Hour).Format(time.RFC3339), s.Issuer+securityTxtPath)
	})
}
