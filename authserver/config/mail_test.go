package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestMail(t *testing.T) {
	const from = ", from: 'Example <login@example.com>'"
	tests := map[string]string{ // Host:Port implicit, or the key at fault
		"":                            ":0 false",
		"server: smtp://mail" + from:  "mail:587 false",
		"server: smtps://mail" + from: "mail:465 true",
		"server: 'smtp://[::1]:25', from: a@example.com":       "::1:25 false",
		"server: smtp://mail, username: u, password: p" + from: "mail:587 false",
		"server: smtp://mail, username: u" + from:              "mail.password: ",
		"server: smtp://mail, password: hunter2" + from:        "mail.password: ",
		"server: smtp://mail":                                  "mail.from: ",
		"server: smtp://mail, from: nobody":                    "mail.from: ",
		"from: login@example.com":                              "mail.from: ",
		"server: mail" + from:                                  "mail.server: ",
		"server: http://mail" + from:                           "mail.server: ",
		"server: smtp://u:hunter2@mail" + from:                 "mail.server: ",
		"server: smtp://mail:99999999999" + from:               "mail.server: ",
	}
	for text, want := range tests {
		c, err := Parse([]byte(minimal+"mail: {"+text+"}\n"), env())
		if strings.HasSuffix(want, ": ") {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("mail: {%s}: %v, want %s", text, err, want)
			}
			continue
		}
		if got := fmt.Sprint(c.Mail.Host, ":", c.Mail.Port, " ", c.Mail.Implicit); err != nil || got != want {
			t.Errorf("mail: {%s} = %s, %v, want %s", text, got, err, want)
		}
	}
	c, err := Parse([]byte(minimal+"mail: {server: smtp://mail, username: u"+from+"}\n"), env("ANTEROOM_MAIL_PASSWORD", "hunter2"))
	if err != nil || c.Mail.Password.Reveal() != "hunter2" || strings.Contains(fmt.Sprintf("%+v", c), "hunter2") {
		t.Errorf("the password of the environment: %v, or it is printed", err)
	}
}
