package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestProxies(t *testing.T) {
	tests := map[string]string{
		"":                          "[]",
		"10.0.0.0/8":                "[10.0.0.0/8]",
		"[10.0.0.5, 'fd00::1/8']":   "[10.0.0.5/32 fd00::/8]",
		"10.0.0.5 ,192.168.1.77/24": "[10.0.0.5/32 192.168.1.0/24]",
		"'::ffff:10.0.0.5'":         "[10.0.0.5/32]",
		"proxy.internal":            "",
		"10.0.0.0/33":               "",
		"0.0.0.0/0":                 "",
		"'::/0'":                    "",
		"'fe80::1%eth0'":            "",
		"'::ffff:10.0.0.0/104'":     "",
		"[10.0.0.0/8, [x]]":         "",
		"['10.0.0.5,10.0.0.6']":     "",
		"10.0.0.5,":                 "",
	}
	for text, want := range tests {
		c, err := Parse([]byte(minimal+"proxies: "+text+"\n"), env())
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(c.Proxies) != want {
			t.Errorf("proxies: %s = %v, %v, want %s", text, c.Proxies, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "proxies: ") {
			t.Errorf("%v does not name the key", err)
		}
	}
	if _, err := Parse([]byte(minimal+"listen: [127.0.0.1:80]\n"), env()); err == nil || !strings.Contains(err.Error(), "listen: must be a single value") {
		t.Errorf("a list of one address to listen on: %v", err)
	}
}

func TestListenerKeys(t *testing.T) {
	tests := map[string]string{
		"proxy_header: forwarded": "", "proxy_header: Forwarded": "", "proxy_header: x-real-ip": "proxy_header: must be",
		"tls: {cert: a, key: b}": "", "tls: {cert: a}": "tls.key: must be given", "tls: {key: b}": "tls.key: must be given",
		"security_contact: mailto:a@example.com": "", "security_contact: https://example.com/x": "",
		"security_contact: a@example.com": "security_contact: must be", "security_contact: javascript:alert(1)": "security_contact: must be",
		`security_contact: "mailto:a@example.com\nExpires: never"`: "security_contact: must be",
	}
	for text, want := range tests {
		_, err := Parse([]byte(minimal+text+"\n"), env())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestListensInTheClear(t *testing.T) {
	tests := map[string]bool{
		"listen: 127.0.0.1:80": false, "listen: localhost:80": false, "listen: ':80'": true, "listen: 0.0.0.0:80": true,
		"listen: ':443'\ntls: {cert: a, key: b}": false,
	}
	for text, want := range tests {
		c, err := Parse([]byte(minimal+text+"\n"), env())
		if err != nil || c.ListensInTheClear() != want {
			t.Errorf("%s: %v, %v, want %v", text, c.ListensInTheClear(), err, want)
		}
	}
}
