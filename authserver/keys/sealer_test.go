package keys_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/sdk"
)

func keyset(t testing.TB) sdk.Secret {
	t.Helper()
	text, err := keys.GenerateKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sealer(t testing.TB, keysetJSON sdk.Secret) *keys.Sealer {
	t.Helper()
	s, err := keys.NewSealer(keysetJSON)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *keys.Sealer, text, aad string) []byte {
	t.Helper()
	sealed, err := s.Seal([]byte(text), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealedValueOpensInItsPlaceOnly(t *testing.T) {
	s := sealer(t, keyset(t))
	sealed := seal(t, s, "hunter2", "row/1")
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Error("the sealed value contains the plaintext")
	}
	got, err := s.Open(sealed, []byte("row/1"))
	if err != nil || string(got) != "hunter2" {
		t.Errorf("Open = %q, %v; want hunter2", got, err)
	}
	if _, err := s.Open(sealed, []byte("row/2")); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("Open in another place = %v, want ErrOpen", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Open(sealed, []byte("row/1")); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("Open of a changed value = %v, want ErrOpen", err)
	}
	if _, err := sealer(t, keyset(t)).Open(seal(t, s, "x", "row/1"), []byte("row/1")); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("Open with another keyset = %v, want ErrOpen", err)
	}
}

// The rollout of a new key: added everywhere, then promoted, and nothing that
// was sealed before is lost.
func TestKeysetRotation(t *testing.T) {
	first := keyset(t)
	second, err := keys.AddKey(first)
	if err != nil {
		t.Fatal(err)
	}
	third, err := keys.PromoteNewest(second)
	if err != nil {
		t.Fatal(err)
	}
	before, added, promoted := sealer(t, first), sealer(t, second), sealer(t, third)
	for name, c := range map[string]struct {
		by, opener *keys.Sealer
		opens      bool
	}{
		"old value after promotion":               {before, promoted, true},
		"value of an instance with the key added": {added, before, true},
		"new value where the key was added":       {promoted, added, true},
		"new value where the key is missing":      {promoted, before, false},
	} {
		_, err := c.opener.Open(seal(t, c.by, "x", "a"), []byte("a"))
		if (err == nil) != c.opens {
			t.Errorf("%s: opens = %v, want %v", name, err == nil, c.opens)
		}
	}
}

func TestKeysetFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := keys.CreateKeysetFile(path); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadSealer(path); err != nil {
		t.Errorf("LoadSealer = %v", err)
	}
	if err := keys.CreateKeysetFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateKeysetFile over a file = %v, want fs.ErrExist", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.LoadSealer(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("LoadSealer of mode %o = %v, want an error that names the file", mode, err)
		}
	}
}

func TestKeysetErrorsShowNothing(t *testing.T) {
	text := keyset(t).Reveal()
	broken := sdk.Secret(strings.Replace(text, `"keyData"`, `"keyDatum"`, 1))
	for _, bad := range []sdk.Secret{"", "{}", "not json", broken} {
		_, err := keys.NewSealer(bad)
		if err == nil {
			t.Errorf("NewSealer of a bad keyset succeeded")
			continue
		}
		if bad != "" && strings.Contains(err.Error(), bad.Reveal()) {
			t.Errorf("the error repeats the keyset: %v", err)
		}
	}
	if _, err := keys.LoadSealer(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadSealer of no file = %v, want fs.ErrNotExist", err)
	}
}
