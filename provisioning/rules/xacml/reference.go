package xacml

import (
	"strconv"
	"strings"
)

// reference finds the policy that a PolicyIdReference or a PolicySetIdReference
// means: of those whose version matches, the latest (section 5.11).
func (c *compiler) reference(e *element) (*policy, error) {
	if err := e.expect("Version", "EarliestVersion", "LatestVersion"); err != nil {
		return nil, err
	}
	id, err := e.leaf()
	if err != nil {
		return nil, err
	}
	id = strings.TrimSpace(id)
	kind := strings.TrimSuffix(e.name, "IdReference")
	var best *entry
	for _, candidate := range c.known[id] {
		fits, err := candidate.fits(e, kind)
		if err != nil {
			return nil, err
		}
		if fits && (best == nil || compareVersions(candidate.version, best.version) > 0) {
			best = candidate
		}
	}
	if best == nil {
		return nil, e.errorf("no %s %s that the reference may mean", kind, clip(id))
	}
	if best.busy {
		return nil, e.errorf("the reference to %s leads back to itself", clip(id))
	}
	return c.resolve(best)
}

func (c *entry) fits(e *element, kind string) (bool, error) {
	ok := c.root.name == kind
	for _, bound := range []struct {
		name  string
		holds func(compared int) bool
	}{
		{"Version", func(c int) bool { return c == 0 }},
		{"EarliestVersion", func(c int) bool { return c >= 0 }},
		{"LatestVersion", func(c int) bool { return c <= 0 }},
	} {
		pattern, given := e.attrs[bound.name]
		if !given {
			continue
		}
		compared, valid := matchVersion(c.version, pattern)
		if !valid {
			return false, e.errorf("%s is not a pattern of versions", bound.name)
		}
		ok = ok && bound.holds(compared)
	}
	return ok, nil
}

// parseVersion reads numbers with dots between.
func parseVersion(s string) ([]int, bool) {
	var out []int
	for _, part := range strings.Split(strings.TrimSpace(s), ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || part[0] == '+' || len(out) >= 16 {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

func compareVersions(a, b []int) int {
	for i := range min(len(a), len(b)) {
		if c := compareInt(int64(a[i]), int64(b[i])); c != 0 {
			return c
		}
	}
	return compareInt(int64(len(a)), int64(len(b)))
}

// matchVersion compares a version with a pattern (section 5.13): an asterisk is
// any number, a plus at the end any numbers, also none.
func matchVersion(version []int, pattern string) (compared int, valid bool) {
	parts := strings.Split(strings.TrimSpace(pattern), ".")
	if !validPattern(parts) {
		return 0, false
	}
	for i, part := range parts {
		if part == "+" {
			return 0, true
		}
		if i >= len(version) {
			return -1, true
		}
		if part == "*" {
			continue
		}
		n, _ := strconv.Atoi(part)
		if c := compareInt(int64(version[i]), int64(n)); c != 0 {
			return c, true
		}
	}
	return compareInt(int64(len(version)), int64(len(parts))), true
}

func validPattern(parts []string) bool {
	for i, part := range parts {
		_, number := parseVersion(part)
		if !number && part != "*" && (part != "+" || i < len(parts)-1) {
			return false
		}
	}
	return true
}
