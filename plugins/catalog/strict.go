package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// Prefix is what the program of every connector is called, before its name.
const Prefix = "anteroom-connector-"

var (
	validName    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	validDigest  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	validVersion = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z.-]{1,64})?(\+[0-9A-Za-z.-]{1,64})?$`)
	validKey     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// ValidName reports whether a connector may have the name: lower-case letters,
// digits and -, at most 32.
func ValidName(name string) bool { return validName.MatchString(name) }

// decodeStrict reads one JSON value into v: no unknown field, no field twice, no
// other spelling of a field, nothing behind the value.
func decodeStrict(raw []byte, v any) error {
	if err := checkKeys(json.NewDecoder(bytes.NewReader(raw)), ""); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fieldOf(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON value")
	}
	return nil
}

// fieldOf names the field of a value that has the wrong type.
func fieldOf(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case wrong.Field == "":
		return fmt.Errorf("is a JSON %s, want an object", wrong.Value)
	}
	return fmt.Errorf("%s: is a JSON %s, want %s", wrong.Field, wrong.Value, wrong.Type)
}

// checkKeys walks one value. The decoder itself takes a key in any case, and the
// last of several: a reader of the file and the host could see different things.
func checkKeys(dec *json.Decoder, path string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; dec.More(); i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		if delim == '{' {
			if at, err = checkKey(dec, path, seen); err != nil {
				return err
			}
		}
		if err := checkKeys(dec, at); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing one
	return err
}

func checkKey(dec *json.Decoder, path string, seen map[string]bool) (string, error) {
	token, err := dec.Token()
	if err != nil {
		return "", err
	}
	key := fmt.Sprint(token)
	at := key
	if path != "" {
		at = path + "." + key
	}
	switch {
	case !validKey.MatchString(key):
		return "", fmt.Errorf("%q: unknown field", at)
	case seen[key]:
		return "", fmt.Errorf("%s: is there twice", at)
	}
	seen[key] = true
	return at, nil
}
