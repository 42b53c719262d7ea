package application

import (
	"slices"
	"strings"
)

// SubjectType says what an application knows users by (OpenID Connect Core 1.0
// section 8).
type SubjectType string

// The subject types. The default is public.
const (
	SubjectPublic   SubjectType = "public"   // the user's id, for everybody
	SubjectPairwise SubjectType = "pairwise" // a value that each sector has of its own
)

// Sector is a set of applications that know a user by the same pairwise subject.
type Sector string

// Sector returns the application's, "" with public subjects. It is the host of its
// sector_identifier_uri, or else that of its redirect URIs. Loopback and private
// schemes belong to nobody in particular: an application with no other redirect URI
// is a sector of its own, which no host can be taken for.
func (a Application) Sector() Sector {
	if a.SubjectType != SubjectPairwise {
		return ""
	}
	host := ""
	if a.SectorIdentifierURI != "" {
		host = webHost(a.SectorIdentifierURI)
	} else if hosts := a.redirectHosts(); len(hosts) > 0 {
		host = hosts[0]
	}
	if host == "" {
		return Sector("client:" + a.ClientID)
	}
	return Sector(host)
}

// webHost returns the host of a web URI as it is compared, "" if it is none.
func webHost(raw string) string {
	u, err := parseURI(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// redirectHosts returns the different hosts of the redirect URIs, "" for those
// without one that names a sector.
func (a Application) redirectHosts() []string {
	hosts := make([]string, len(a.RedirectURIs))
	for i, raw := range a.RedirectURIs {
		if hosts[i] = webHost(raw); isLoopback(hosts[i]) {
			hosts[i] = ""
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func (a Application) checkSector(p *Problems) {
	switch a.SubjectType {
	case "", SubjectPublic, SubjectPairwise:
	default:
		p.add("subject_type", "must be public or pairwise")
	}
	if a.SectorIdentifierURI != "" {
		if err := checkWebURI(a.SectorIdentifierURI); err != nil {
			p.add("sector_identifier_uri", err.Error())
		}
		return
	}
	if hosts := a.redirectHosts(); a.SubjectType == SubjectPairwise && len(hosts) > 1 {
		p.add("sector_identifier_uri", "is needed with subject_type pairwise when redirect_uris have more than one host")
	}
}
