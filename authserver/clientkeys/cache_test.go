package clientkeys_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/clientkeys"
	"github.com/anteroom-id/anteroom/authserver/outbound"
)

const (
	firstKey  = `{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	secondKey = `{"kty":"OKP","crv":"Ed25519","kid":"two","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
)

// publisher is an application that publishes its keys.
type publisher struct {
	*clientkeys.Cache
	uri    string
	now    time.Time
	asked  int
	status int
	body   string
}

func publish(t *testing.T, body string) *publisher {
	p := &publisher{status: http.StatusOK, body: body, now: time.Unix(1_700_000_000, 0)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked++
		w.WriteHeader(p.status)
		_, _ = w.Write([]byte(p.body))
	}))
	t.Cleanup(server.Close)
	p.uri = server.URL
	p.Cache = &clientkeys.Cache{HTTP: server.Client(), Now: func() time.Time { return p.now }}
	return p
}

// wants asks for a kid and checks how many keys there are and how often the address
// was asked in all.
func (p *publisher) wants(t *testing.T, kid string, keys, asked int) {
	t.Helper()
	got, err := p.Keys(t.Context(), p.uri, kid)
	if len(got) != keys || p.asked != asked || (keys == 0) != errors.Is(err, clientkeys.ErrUnavailable) {
		t.Errorf("%d keys, %v after %d requests; want %d after %d", len(got), err, p.asked, keys, asked)
	}
}

func TestCacheAsksSeldom(t *testing.T) {
	p := publish(t, `{"keys":[`+firstKey+`]}`)
	p.wants(t, "one", 1, 1)
	p.wants(t, "", 1, 1)
	p.wants(t, "two", 1, 1) // unknown, but asked just now
	p.body = `{"keys":[` + firstKey + `,` + secondKey + `]}`
	p.now = p.now.Add(clientkeys.Interval)
	p.wants(t, "one", 1, 1)
	p.wants(t, "two", 2, 2)
	p.wants(t, "three", 2, 2)
	p.now = p.now.Add(clientkeys.Fresh)
	p.wants(t, "one", 2, 3)
}

func TestCacheWithoutAnswer(t *testing.T) {
	p := publish(t, `{"keys":[`+firstKey+`]}`)
	p.status = http.StatusInternalServerError
	p.wants(t, "one", 0, 1)
	p.wants(t, "one", 0, 1)
	p.now, p.status = p.now.Add(clientkeys.Interval), http.StatusOK
	p.wants(t, "one", 1, 2)
	p.now, p.status = p.now.Add(clientkeys.Fresh), http.StatusInternalServerError
	p.wants(t, "one", 1, 3) // the old ones
	p.now = p.now.Add(clientkeys.Stale)
	p.wants(t, "one", 0, 4)
}

func TestCacheTakesNoOtherSets(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON":    "<html>",
		"no keys":     `{"keys":[]}`,
		"symmetric":   `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`,
		"encryption":  `{"keys":[` + strings.Replace(firstKey, `"kid"`, `"use":"enc","kid"`, 1) + `]}`,
		"other curve": `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
		"too large":   `{"keys":[` + firstKey + `],"pad":"` + strings.Repeat("x", 300_000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) { publish(t, body).wants(t, "", 0, 1) })
	}
	publish(t, `{"keys":[{"kty":"new"},{"kty":"oct","k":"c2VjcmV0"},`+firstKey+`]}`).wants(t, "one", 1, 1)
}

func TestCacheStaysOutside(t *testing.T) {
	p := publish(t, `{"keys":[`+firstKey+`]}`)
	p.HTTP = outbound.NewClient(nil)
	if _, err := p.Keys(t.Context(), p.uri, ""); !errors.Is(err, outbound.ErrForbidden) || !errors.Is(err, clientkeys.ErrUnavailable) || p.asked != 0 {
		t.Errorf("Keys of a private address = %v after %d requests", err, p.asked)
	}
}
