package forwarded_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/forwarded"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func request(remote, header string, lines ...string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
	for _, line := range lines {
		r.Header.Add(header, line)
	}
	return r
}

const proxy = "10.0.0.1:4321"

func TestClientByXFF(t *testing.T) {
	p := forwarded.Proxies{Trusted: prefixes("10.0.0.0/8", "fd00::/8")}
	for name, c := range map[string]struct {
		remote string
		lines  []string
		want   string
	}{
		"nobody in front":             {"192.0.2.1:5", nil, "192.0.2.1"},
		"a stranger is not believed":  {"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		"one proxy":                   {proxy, []string{"198.51.100.1"}, "198.51.100.1"},
		"two proxies":                 {proxy, []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"a client lied":               {proxy, []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"a client named a proxy":      {proxy, []string{"203.0.113.9, 10.0.0.9, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"a client sent its own line":  {proxy, []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		"a client sent garbage":       {proxy, []string{"\"x, ;;, 198.51.100.1"}, "198.51.100.1"},
		"the proxy does not tell":     {proxy, nil, "10.0.0.1"},
		"the proxy does not know":     {proxy, []string{"unknown"}, forwarded.Unknown},
		"nothing behind the comma":    {proxy, []string{"198.51.100.1,"}, forwarded.Unknown},
		"all are proxies":             {proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"with a port":                 {proxy, []string{"198.51.100.1:99"}, "198.51.100.1"},
		"IPv6":                        {"[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 with a port":            {"[fd00::1]:5", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		"IPv6 in brackets":            {"[fd00::1%eth0]:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv4 mapped":                 {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"the other header is nothing": {proxy, nil, "10.0.0.1"},
		"no address at all":           {"@", []string{"198.51.100.1"}, "@"},
	} {
		r := request(c.remote, forwarded.HeaderXFF, c.lines...)
		r.Header.Set(forwarded.HeaderForwarded, "for=203.0.113.66")
		if got := p.Client(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestClientByForwarded(t *testing.T) {
	p := forwarded.Proxies{Trusted: prefixes("10.0.0.0/8"), Header: forwarded.HeaderForwarded}
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"plain":                     {[]string{"for=198.51.100.1"}, "198.51.100.1"},
		"parameters, any case":      {[]string{`proto=http; For="198.51.100.1:99" ;by=10.0.0.1`}, "198.51.100.1"},
		"IPv6":                      {[]string{`for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		"two proxies":               {[]string{`for=198.51.100.1, for=10.0.0.2;host="a,b;for=6.6.6.6"`}, "198.51.100.1"},
		"a client lied":             {[]string{"for=203.0.113.9, for=198.51.100.1"}, "198.51.100.1"},
		"a client opened a quote":   {[]string{`for="203.0.113.9, for=198.51.100.1`}, "198.51.100.1"},
		"… the proxy used one, too": {[]string{`for="203.0.113.9, for="[2001:db8::1]"`}, "2001:db8::1"},
		"… on a line of its own":    {[]string{`for="10.0.0.2`, `for=198.51.100.1`}, "198.51.100.1"},
		"hidden":                    {[]string{"for=_hidden"}, forwarded.Unknown},
		"unknown":                   {[]string{"for=unknown"}, forwarded.Unknown},
		"no for":                    {[]string{"proto=https"}, forwarded.Unknown},
		"none":                      {nil, "10.0.0.1"},
	} {
		r := request(proxy, forwarded.HeaderForwarded, c.lines...)
		r.Header.Set(forwarded.HeaderXFF, "203.0.113.66")
		if got := p.Client(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	r := request("127.0.0.1:5", forwarded.HeaderXFF, "198.51.100.1")
	if got := (forwarded.Proxies{}).Client(r); got != "127.0.0.1" {
		t.Errorf("client is %s", got)
	}
}

// Whatever a client sends, what the proxy appends to it decides.
func FuzzClientCannotChooseItsAddress(f *testing.F) {
	f.Add("10.0.0.2, for=\"10.0.0.3", true)
	f.Add("\\\"\",;=for", false)
	f.Fuzz(func(t *testing.T, sent string, rfc bool) {
		if strings.ContainsAny(sent, "\r\n") {
			t.Skip()
		}
		p, entry := forwarded.Proxies{Trusted: prefixes("10.0.0.0/8")}, "198.51.100.1"
		if rfc {
			p.Header, entry = forwarded.HeaderForwarded, `for="198.51.100.1:80";proto=https`
		}
		header := forwarded.HeaderXFF
		if rfc {
			header = forwarded.HeaderForwarded
		}
		for _, r := range []*http.Request{request(proxy, header, sent+", "+entry), request(proxy, header, sent, entry)} {
			if got := p.Client(r); got != "198.51.100.1" {
				t.Errorf("sent %q: client is %s", sent, got)
			}
		}
	})
}
