package sdk_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/anteroom-id/anteroom/sdk"
)

const canary = "hunter2"

type holder struct{ Token sdk.Secret }

func TestSecretHidesFromEveryVerb(t *testing.T) {
	s := sdk.Secret(canary)
	for _, verb := range strings.Split("vTtbcdoOqxXUeEfFgGs", "") {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "20", ".3"} {
			format := "%" + flag + verb
			for _, arg := range []any{s, &s, holder{s}, &holder{s}, []sdk.Secret{s}, map[string]sdk.Secret{"a": s}, map[sdk.Secret]int{s: 1}} {
				checkHidden(t, format, fmt.Sprintf(format, arg))
			}
		}
	}
	if got := fmt.Sprint(s); got != "***" {
		t.Errorf("Sprint = %q, want ***", got)
	}
	checkHidden(t, "error", fmt.Errorf("sign in with %q: %w", s, sdk.Unauthorized("no")).Error())
}

func TestSecretHidesFromEncoders(t *testing.T) {
	s := sdk.Secret(canary)
	j, err := json.Marshal(map[string]any{"value": s, "list": []sdk.Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	checkHidden(t, "json", string(j))
	x, err := xml.Marshal(holder{s})
	if err != nil {
		t.Fatal(err)
	}
	checkHidden(t, "xml", string(x))
	var page bytes.Buffer
	if err := template.Must(template.New("").Parse("{{.}}{{printf `%s` .}}")).Execute(&page, s); err != nil {
		t.Fatal(err)
	}
	checkHidden(t, "template", page.String())
}

func TestSecretHidesFromLogs(t *testing.T) {
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		log.Info("configured", "token", sdk.Secret(canary), "config", sdk.RawConfig{Secrets: map[string]sdk.Secret{"token": canary}})
		log.With("token", sdk.Secret(canary)).Info("configured")
	}
	if !strings.Contains(out.String(), "***") {
		t.Fatalf("the log does not show that there was a secret:\n%s", out.String())
	}
	checkHidden(t, "slog", out.String())
}

func TestSecretReveal(t *testing.T) {
	if got := sdk.Secret(canary).Reveal(); got != canary {
		t.Errorf("Reveal = %q, want the secret itself", got)
	}
}

func checkHidden(t *testing.T, how, out string) {
	t.Helper()
	hex := fmt.Sprintf("%x", canary)
	if strings.Contains(out, canary) || strings.Contains(strings.ToLower(out), hex) {
		t.Errorf("%s shows the secret: %s", how, out)
	}
}
