package resourceserver

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// Problem says what is wrong with one field.
type Problem struct {
	Field string // such as "scopes[0]"
	Text  string
}

type problems []Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{field, fmt.Sprintf(format, args...)})
}

const maxIdentifierBytes = 500

// CheckIdentifier says what is wrong with the identifier of a resource server (RFC
// 8707 section 2), nil if nothing is.
func CheckIdentifier(raw string) error {
	if len(raw) > maxIdentifierBytes {
		return fmt.Errorf("is longer than %d bytes", maxIdentifierBytes)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("must be plain ASCII without spaces")
	}
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" {
		return errors.New("must be an absolute URI")
	}
	if strings.Contains(raw, "#") {
		return errors.New("must not have a fragment")
	}
	return nil
}

// The limits of [Settings.TokenLifetime]. Keys stay published for a day after they
// signed last, and who withdraws something should not wait for long.
const (
	minLifetime = 10 * time.Second
	maxLifetime = 12 * time.Hour
)

func parseLifetime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < minLifetime || d > maxLifetime {
		return 0, fmt.Errorf("must be a duration from %s to %.0fh, such as 15m", minLifetime, maxLifetime.Hours())
	}
	return d, nil
}

// Check returns every problem of the resource server, none if it is as it should be.
func (s Server) Check() []Problem {
	var p problems
	if err := CheckIdentifier(s.Identifier); err != nil {
		p.add("identifier", "%v", err)
	}
	checkList(&p, "scopes", s.Scopes, application.CheckScope)
	checkList(&p, "applications", s.Applications, nil)
	checkList(&p, "introspection", s.Introspection, nil)
	if err := s.TokenFormat.Check(); err != nil {
		p.add("token_format", "%v", err)
	}
	switch {
	case s.TokenAlg == "":
	case !slices.Contains(application.SigningAlgs(), s.TokenAlg):
		p.add("token_alg", "must be one of %s", strings.Join(application.SigningAlgs(), ", "))
	case s.TokenFormat != application.TokenJWT:
		p.add("token_alg", "is for tokens of the format jwt")
	}
	if s.TokenLifetime != "" {
		if _, err := parseLifetime(s.TokenLifetime); err != nil {
			p.add("token_lifetime", "%v", err)
		}
	}
	return p
}

func checkList[T ~string](p *problems, field string, list []T, check func(string) error) {
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if check != nil {
			if err := check(string(e)); err != nil {
				p.add(at, "%v", err)
			}
		}
		if slices.Contains(list[:i], e) {
			p.add(at, "is there twice")
		}
	}
}
