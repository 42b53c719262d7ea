package salesforce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// profileID returns the id of the configured profile. A name is looked up once,
// and again after the org has refused the id.
func (t *Target) profileID(ctx context.Context) (string, error) {
	if id := idOf(t.cfg.Profile); id != "" && strings.HasPrefix(id, "00e") {
		return id, nil
	}
	t.mu.Lock()
	known := t.profile
	t.mu.Unlock()
	if known != "" {
		return known, nil
	}
	records, err := t.client.query("SELECT Id,Name FROM Profile WHERE Name = "+quote(t.cfg.Profile), 0).all(ctx)
	if err != nil {
		return "", err
	}
	if len(records) != 1 || idOf(records[0].text("Id")) == "" {
		return "", sdk.Invalid("profile", "the org has no profile of this name")
	}
	t.setProfile(idOf(records[0].text("Id")))
	return idOf(records[0].text("Id")), nil
}

func (t *Target) setProfile(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.profile = id
}

// aboutProfile names the setting, and not the attribute, when the org refuses
// the profile and the mapping gave none.
func (t *Target) aboutProfile(err error, mapped bool) error {
	var e *sdk.Error
	if mapped || !errors.As(err, &e) || e.Field != fieldProfile {
		return err
	}
	t.setProfile("") // it may have been deleted and made anew
	e.Field = "profile"
	return e
}

// otherNickname is a second proposal, for somebody whose first is taken. It is
// the same each time, so that a repeated create is the same.
func otherNickname(taken, username string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(username)))
	suffix := "-" + hex.EncodeToString(sum[:4])
	return cut(taken, maxNickname-len(suffix)) + suffix
}
