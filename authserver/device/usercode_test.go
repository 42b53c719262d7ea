package device_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/device"
)

func TestParseUserCode(t *testing.T) {
	for typed, want := range map[string]device.UserCode{
		"BCDF-GHJK": "BCDFGHJK", "bcdf ghjk": "BCDFGHJK", " b c d f – g.h/j_k\t": "BCDFGHJK", "BCDFGHJK": "BCDFGHJK",
		"": "", "BCDF-GHJ": "", "BCDF-GHJKL": "", "BCDF-GHJ1": "", "ACDF-GHJK": "", "BCDF-GHJſ": "", "ВCDF-GHJK": "", "BCDF\xffGHJK": "",
		"BCDF" + strings.Repeat("-", 100) + "GHJK": "", "BCDF\x00GHJK": "",
	} {
		if got, ok := device.ParseUserCode(typed); ok != (want != "") || ok && got != want {
			t.Errorf("ParseUserCode(%q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestNewUserCode(t *testing.T) {
	seen := map[device.UserCode]bool{}
	letters := map[rune]bool{}
	for range 1000 {
		code := device.NewUserCode()
		if back, ok := device.ParseUserCode(code.String()); !ok || back != code {
			t.Fatalf("%q is read as %q, %v", code, back, ok)
		}
		for _, r := range code {
			letters[r] = true
		}
		seen[code] = true
	}
	if len(seen) != 1000 || len(letters) != 20 {
		t.Errorf("%d codes and %d letters in 1000 codes, want 1000 and 20", len(seen), len(letters))
	}
}

// Without the key a stored digest says nothing of its code.
func TestDigestIsKeyed(t *testing.T) {
	a, b := device.Codes{Key: []byte("a")}, device.Codes{Key: []byte("b")}
	if bytes.Equal(a.Digest("BCDFGHJK"), b.Digest("BCDFGHJK")) || !bytes.Equal(a.Digest("BCDFGHJK"), a.Digest("BCDFGHJK")) {
		t.Error("the digest does not depend on the key alone")
	}
}

func FuzzParseUserCode(f *testing.F) {
	for _, seed := range []string{"BCDF-GHJK", "bcdf ghjk", "ſ", "BCDF\xffGHJK", "BCDF–GHJK", strings.Repeat("-", 70)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := device.ParseUserCode(typed)
		if !ok {
			return
		}
		if len(code) != 8 || strings.Trim(string(code), "BCDFGHJKLMNPQRSTVWXZ") != "" {
			t.Fatalf("%q is read as %q", typed, code)
		}
		if again, ok := device.ParseUserCode(code.String()); !ok || again != code {
			t.Errorf("%q is read as %q, and that as %q, %v", typed, code, again, ok)
		}
		if len(typed) < len(code) || len(typed) > 64 {
			t.Errorf("a code came of %d bytes", len(typed))
		}
	})
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48", "": "", "x": "",
	} {
		if got := device.NetworkOf(address); got != want {
			t.Errorf("NetworkOf(%q) = %q, want %q", address, got, want)
		}
	}
}
