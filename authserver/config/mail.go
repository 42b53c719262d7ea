package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"strconv"

	"github.com/anteroom-id/anteroom/sdk"
)

// Mail is the server that takes mail; the zero value for none.
type Mail struct {
	Host     string
	Port     int
	Implicit bool // TLS from the first byte
	From     mail.Address
	Username string
	Password sdk.Secret
}

func setMailServer(c *Config, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	ports := map[string]int{"smtp": 587, "smtps": 465}
	if err != nil || ports[u.Scheme] == 0 || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" {
		return fmt.Errorf("must be smtp://host (STARTTLS) or smtps://host, with a port if it is not 587 or 465")
	}
	c.Mail.Host, c.Mail.Port, c.Mail.Implicit = u.Hostname(), ports[u.Scheme], u.Scheme == "smtps"
	if u.Port() == "" {
		return nil
	}
	if c.Mail.Port, err = strconv.Atoi(u.Port()); err != nil || c.Mail.Port < 1 || c.Mail.Port > 65535 {
		return fmt.Errorf("must have a port from 1 to 65535")
	}
	return nil
}

// setMailFrom comes after mail.server.
func setMailFrom(c *Config, s string) error {
	if c.Mail.Host == "" && s == "" {
		return nil
	}
	from, err := mail.ParseAddress(s)
	if err != nil || c.Mail.Host == "" {
		return fmt.Errorf("must be an address such as Example <login@example.com>, together with mail.server")
	}
	c.Mail.From = *from
	return nil
}

// setMailPassword comes after mail.username.
func setMailPassword(c *Config, s string) error {
	if (s == "") != (c.Mail.Username == "") {
		return fmt.Errorf("must be given together with mail.username")
	}
	c.Mail.Password = sdk.Secret(s)
	return nil
}
