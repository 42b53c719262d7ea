package xacml

import (
	"net/netip"
	"slices"
	"strings"
)

// parseName reads the types that name something.
func parseName(t dataType, s string) (value, bool) {
	v := value{typ: t, str: s}
	ok := true
	switch t {
	case typeAnyURI:
		ok = !strings.ContainsAny(s, " \t\r\n<>\"{}|\\^`")
	case typeX500Name:
		v.lexical = s
		v.str, ok = canonicalDN(s)
	case typeRFC822Name:
		local, domain, found := strings.Cut(s, "@")
		v.lexical, v.str = s, local+"@"+strings.ToLower(domain)
		ok = found && local != "" && domain != "" && !strings.Contains(domain, "@")
	case typeIPAddress:
		ok = validAddress(s)
	case typeDNSName:
		ok = validDNS(s)
	default:
		ok = false
	}
	return v, ok
}

// canonicalDN brings a distinguished name (RFC 2253, as RFC 4514 reads it) into a
// form that equal names share: types in lower case and by name, values folded,
// blanks squeezed, the parts of a multi-valued RDN sorted.
func canonicalDN(s string) (string, bool) {
	var out []string
	if strings.TrimSpace(s) == "" {
		return "", true
	}
	for _, rdn := range splitEscaped(s, ",;") {
		var parts []string
		for _, ava := range splitEscaped(rdn, "+") {
			part, ok := canonicalAVA(ava)
			if !ok {
				return "", false
			}
			parts = append(parts, part)
		}
		slices.Sort(parts)
		out = append(out, strings.Join(parts, "+"))
	}
	return strings.Join(out, ","), true
}

// splitEscaped splits at separators that are neither escaped nor quoted.
func splitEscaped(s, separators string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(separators, s[i]) >= 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func canonicalAVA(s string) (string, bool) {
	name, val, ok := strings.Cut(s, "=")
	name = strings.ToLower(strings.TrimSpace(name))
	if !ok || name == "" || strings.ContainsAny(name, " \"\\<>#") {
		return "", false
	}
	val, ok = unescape(strings.TrimSpace(val))
	if !ok {
		return "", false
	}
	val = strings.ToLower(strings.Join(strings.Fields(val), " "))
	escaped := strings.NewReplacer(`\`, `\5c`, ",", `\2c`, "+", `\2b`, "=", `\3d`).Replace(val)
	return attributeName(strings.TrimPrefix(name, "oid.")) + "=" + escaped, true
}

// attributeName gives the object identifiers of RFC 2253 their names.
func attributeName(s string) string {
	switch s {
	case "2.5.4.3":
		return "cn"
	case "2.5.4.7":
		return "l"
	case "2.5.4.8":
		return "st"
	case "2.5.4.10":
		return "o"
	case "2.5.4.11":
		return "ou"
	case "2.5.4.6":
		return "c"
	case "2.5.4.9":
		return "street"
	case "0.9.2342.19200300.100.1.25":
		return "dc"
	case "0.9.2342.19200300.100.1.1":
		return "uid"
	default:
		return s
	}
}

// unescape takes off quotes and back slashes.
func unescape(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out.WriteByte(s[i])
			continue
		}
		if i+1 >= len(s) {
			return "", false
		}
		if hi, lo := nibble(s[i+1]), nibbleAt(s, i+2); hi >= 0 && lo >= 0 {
			out.WriteByte(byte(hi<<4 | lo))
			i += 2
			continue
		}
		i++
		out.WriteByte(s[i])
	}
	return out.String(), true
}

func nibbleAt(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	return nibble(s[i])
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// matchDN reports whether a name is another one or ends in it (x500Name-match).
func matchDN(suffix, name string) bool {
	return suffix == name || suffix == "" || strings.HasSuffix(name, ","+suffix)
}

// matchMail reports whether a mailbox is the one of a pattern, in the domain of
// it, or, after a dot, below that domain (rfc822Name-match).
func matchMail(pattern, mailbox string) bool {
	_, domain, _ := strings.Cut(mailbox, "@")
	if local, host, ok := strings.Cut(pattern, "@"); ok {
		return local+"@"+strings.ToLower(host) == mailbox
	}
	pattern = strings.ToLower(pattern)
	if strings.HasPrefix(pattern, ".") {
		return strings.HasSuffix(domain, pattern)
	}
	return domain == pattern
}

// validAddress reads "address[/mask][:ports]", with an IPv6 address and mask in
// brackets (XACML 3.0, appendix A.2).
func validAddress(s string) bool {
	addr, ports := s, ""
	if end := strings.LastIndexByte(s, ']'); end >= 0 {
		addr, ports = s[:end+1], s[end+1:]
		if ports != "" && ports[0] != ':' {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		addr, ports = s[:i], s[i:]
	}
	addr, mask, masked := strings.Cut(addr, "/")
	return validIP(addr) && (!masked || validIP(mask)) && validPorts(ports)
}

func validIP(s string) bool {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return false
		}
	}
	a, err := netip.ParseAddr(inner)
	return err == nil && a.Is4() != bracketed && a.Zone() == ""
}

// validPorts reads "", ":80", ":80-", ":-80" and ":80-90".
func validPorts(s string) bool {
	if s == "" {
		return true
	}
	low, high, ranged := strings.Cut(strings.TrimPrefix(s, ":"), "-")
	number := func(s string) bool { return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == "" }
	if !ranged {
		return number(low)
	}
	return (number(low) || low == "") && (number(high) || high == "") && low+high != ""
}

// validDNS reads a host name, with an asterisk for its leftmost label, and ports.
func validDNS(s string) bool {
	host, ports := s, ""
	if i := strings.IndexByte(s, ':'); i >= 0 {
		host, ports = s[:i], s[i:]
	}
	for i, label := range strings.Split(strings.TrimSuffix(host, "."), ".") {
		if label == "*" && i == 0 {
			continue
		}
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") || !hostLabel(label) {
			return false
		}
	}
	return validPorts(ports)
}

func hostLabel(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
