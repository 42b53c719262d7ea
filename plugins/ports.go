package plugins

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
	"github.com/anteroom-id/anteroom/sdk"
)

// ports returns what every connector may connect to.
func (h *Host) ports() []uint16 {
	ports := slices.Concat(sandbox.Default().Connect, h.opts.Isolation.Ports, proxyPorts(h.opts.Environ))
	slices.Sort(ports)
	return slices.Compact(ports)
}

// portsFor returns the ports that a target's configuration names and that are
// not open to every connector, as part of a program's key: a process cannot be
// given more ports later, and one target's are no other's business.
func (h *Host) portsFor(cfg sdk.RawConfig) string {
	if !h.isolation.Level.HasPorts() {
		return ""
	}
	common := h.ports()
	named := configPorts(cfg.Values)
	named = slices.DeleteFunc(named, func(p uint16) bool { return slices.Contains(common, p) })
	slices.Sort(named)
	var text []string
	for _, p := range slices.Compact(named) {
		text = append(text, strconv.Itoa(int(p)))
	}
	return strings.Join(text, ",")
}

func (k programKey) extraPorts() []uint16 {
	var ports []uint16
	for text := range strings.SplitSeq(k.ports, ",") {
		ports = appendPort(ports, text)
	}
	return ports
}

// approvedPorts returns the ports that the package declares and an admin approved
// with it.
func (p *program) approvedPorts() []uint16 {
	if p.pin == nil {
		return nil
	}
	var ports []uint16
	for _, e := range p.pin.Egress {
		for _, port := range e.Ports {
			ports = appendPort(ports, strconv.Itoa(port))
		}
	}
	return ports
}

// configPorts finds the ports in a configuration: those of URLs and host:port
// pairs, and the values of fields called "port" or "…_port".
func configPorts(values []byte) []uint16 {
	dec := json.NewDecoder(bytes.NewReader(values))
	dec.UseNumber()
	var doc any
	if dec.Decode(&doc) != nil {
		return nil // the connector says what is wrong with it
	}
	return walkPorts(nil, "", doc)
}

func walkPorts(ports []uint16, name string, node any) []uint16 {
	switch v := node.(type) {
	case map[string]any:
		for name, value := range v {
			ports = walkPorts(ports, name, value)
		}
	case []any:
		for _, value := range v {
			ports = walkPorts(ports, name, value)
		}
	case json.Number:
		if isPortName(name) {
			ports = appendPort(ports, v.String())
		}
	case string:
		if isPortName(name) {
			return appendPort(ports, v)
		}
		ports = appendPort(ports, portOf(v))
	}
	return ports
}

func isPortName(name string) bool {
	name = strings.ToLower(name)
	return name == "port" || strings.HasSuffix(name, "_port")
}

func appendPort(ports []uint16, text string) []uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return ports
	}
	return append(ports, uint16(n))
}

// portOf returns the explicit port of a URL or a host:port pair, "" if there is
// none: the schemes' own ports are open to every connector.
func portOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Port()
	}
	if host, port, err := net.SplitHostPort(text); err == nil && isHost(host) {
		return port
	}
	return ""
}

// isHost tells the name of a machine from other words before a colon, such as the
// hours of a time.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return hostName.MatchString(text)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*$`)

// proxyPorts returns the ports of the proxies that connectors are told of.
func proxyPorts(environ []string) []uint16 {
	var ports []uint16
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY":
			ports = appendPort(ports, portOf(value))
		}
	}
	return ports
}
