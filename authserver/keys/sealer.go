package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/anteroom-id/anteroom/sdk"
)

// ErrOpen means a sealed value could not be opened: it was changed, it belongs
// to another place, or its key is not in the keyset.
var ErrOpen = errors.New("sealed value cannot be opened")

// Sealer encrypts what is stored (AES-256-GCM). The associated data names the
// place a value belongs to, so that somebody who writes to the database cannot
// move a sealed value to another row.
type Sealer struct {
	aead tink.AEAD
}

// NewSealer returns a sealer for a JSON keyset as [GenerateKeyset] makes it.
func NewSealer(keysetJSON sdk.Secret) (*Sealer, error) {
	handle, err := readKeyset(keysetJSON)
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	return &Sealer{primitive}, nil
}

// groupOrOthers are the permission bits a keyset file must not have.
const groupOrOthers fs.FileMode = 0o077

// LoadSealer reads the keyset from a file, which only its owner may read or
// write.
func LoadSealer(path string) (*Sealer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secrets_key_file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&groupOrOthers != 0 {
		return nil, fmt.Errorf("secrets_key_file %s: mode %#o lets others in: run chmod 600", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secrets_key_file: %w", err)
	}
	s, err := NewSealer(sdk.Secret(text))
	if err != nil {
		return nil, fmt.Errorf("secrets_key_file %s: %w", path, err)
	}
	return s, nil
}

// CreateKeysetFile writes a fresh keyset to a new file that only its owner may
// read. A file that is there already is an error (fs.ErrExist): overwriting it
// would lose every sealed value. A write that fails leaves no file behind.
func CreateKeysetFile(path string) error {
	text, err := GenerateKeyset()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	_, err = f.WriteString(text.Reveal())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write keyset: %w", errors.Join(err, os.Remove(path))) // half a keyset is none
	}
	return nil
}

// GenerateKeyset returns a JSON keyset with one fresh key.
func GenerateKeyset() (sdk.Secret, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("generate keyset: %w", err)
	}
	return writeKeyset(handle)
}

// AddKey returns the keyset with one more key, which does not seal yet. Roll it
// out to every instance before [PromoteNewest] makes it seal: an instance that
// does not know the key cannot open what it sealed.
func AddKey(keysetJSON sdk.Secret) (sdk.Secret, error) {
	return changeKeyset(keysetJSON, func(m *keyset.Manager, _ *keyset.Handle) error {
		_, err := m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// PromoteNewest returns the keyset with its newest key as the one that seals.
// The older keys stay and still open.
func PromoteNewest(keysetJSON sdk.Secret) (sdk.Secret, error) {
	return changeKeyset(keysetJSON, func(m *keyset.Manager, h *keyset.Handle) error {
		newest, err := h.Entry(h.Len() - 1)
		if err != nil {
			return err
		}
		return m.SetPrimary(newest.KeyID())
	})
}

// Seal encrypts plaintext for the place that aad names.
func (s *Sealer) Seal(plaintext, aad []byte) ([]byte, error) {
	sealed, err := s.aead.Encrypt(plaintext, aad)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open is the inverse of [Sealer.Seal]; it returns ErrOpen when the value is
// not what was sealed for that place.
func (s *Sealer) Open(sealed, aad []byte) ([]byte, error) {
	plaintext, err := s.aead.Decrypt(sealed, aad)
	if err != nil {
		return nil, ErrOpen // the library's reason says nothing more
	}
	return plaintext, nil
}

func changeKeyset(keysetJSON sdk.Secret, change func(*keyset.Manager, *keyset.Handle) error) (sdk.Secret, error) {
	handle, err := readKeyset(keysetJSON)
	if err != nil {
		return "", err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := change(manager, handle); err != nil {
		return "", fmt.Errorf("change keyset: %w", err)
	}
	changed, err := manager.Handle()
	if err != nil {
		return "", fmt.Errorf("change keyset: %w", err)
	}
	return writeKeyset(changed)
}

// readKeyset drops the parser's error, which may repeat the text.
func readKeyset(keysetJSON sdk.Secret) (*keyset.Handle, error) {
	reader := keyset.NewJSONReader(bytes.NewReader([]byte(keysetJSON.Reveal())))
	handle, err := insecurecleartextkeyset.Read(reader)
	if err != nil {
		return nil, errors.New("not a JSON keyset")
	}
	return handle, nil
}

func writeKeyset(handle *keyset.Handle) (sdk.Secret, error) {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return "", fmt.Errorf("write keyset: %w", err)
	}
	return sdk.Secret(text.String()), nil
}
