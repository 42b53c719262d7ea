package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Sealer encrypts what the browser keeps for us; the associated data tells what it is.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(ciphertext, associated []byte) ([]byte, error)
}

// The console's cookies. With https they have the prefix that keeps neighbouring hosts
// from planting them.
const (
	enteredCookie = "anteroom-console"
	leavingCookie = "anteroom-console-signin"
	hostPrefix    = "__Host-"
)

// entered says that the browser's session came in through the console's application.
type entered struct {
	SID     string    `json:"sid"` // session.Session.SID
	Expires time.Time `json:"expires"`
}

// leaving is kept while the user is away to sign in.
type leaving struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Return   string    `json:"return"` // a path of the console
	Expires  time.Time `json:"expires"`
}

func (c *Console) cookieName(name string) string {
	if c.Secure {
		return hostPrefix + name
	}
	return name
}

// keep sets a sealed cookie that ends with the browser, or before by what it says.
func (c *Console) keep(w http.ResponseWriter, name string, value any) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	sealed, err := c.Sealer.Seal(plain, []byte(name))
	if err != nil {
		return err
	}
	c.setCookie(w, name, base64.RawURLEncoding.EncodeToString(sealed), 0)
	return nil
}

func (c *Console) drop(w http.ResponseWriter, name string) { c.setCookie(w, name, "", -1) }

func (c *Console) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: c.cookieName(name), Value: value, MaxAge: age, Path: "/", Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// kept reads a sealed cookie; false when there is none of ours, or two.
func (c *Console) kept(r *http.Request, name string, value any) bool {
	found := r.CookiesNamed(c.cookieName(name))
	if len(found) != 1 {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil {
		return false
	}
	plain, err := c.Sealer.Open(sealed, []byte(name))
	return err == nil && json.Unmarshal(plain, value) == nil
}
