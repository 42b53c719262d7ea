package provisioning

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// digestBytes of an HMAC are kept: enough that no two values meet.
const digestBytes = 16

// digest returns a keyed digest per attribute that has a value. The key and the
// names are part of it, so equal values do not show.
func digest(key []byte, target TargetName, values sdk.Attributes) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for name, v := range values {
		if empty(v) {
			continue
		}
		text, err := canonical(v)
		if err != nil {
			return nil, &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: name, Message: "the value cannot be encoded"}
		}
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%q %q %s", string(target), name, text)
		out[name] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:digestBytes])
	}
	return out, nil
}

// canonical is a text that is equal for equal values; the order of a list's
// elements does not count.
func canonical(v any) (string, error) {
	list, ok := v.([]any)
	if !ok {
		b, err := json.Marshal(v)
		return string(b), err
	}
	parts := make([]string, 0, len(list))
	for _, e := range list {
		b, err := json.Marshal(e)
		if err != nil {
			return "", err
		}
		parts = append(parts, string(b))
	}
	slices.Sort(parts)
	return "[" + strings.Join(parts, ",") + "]", nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// diff returns what an update has to send so that the account has what is
// wanted: new values, and the names of attributes to remove.
func (r *run) diff(found sdk.Account) (set sdk.Attributes, clear []string) {
	set = sdk.Attributes{}
	for _, a := range r.conn.Description.Attributes {
		want, mapped := r.wanted[a.Name]
		if !mapped || a.CreateOnly || r.same(a, want, found) {
			continue
		}
		if empty(want) {
			clear = append(clear, a.Name)
		} else {
			set[a.Name] = want
		}
	}
	return set, clear
}

// same reports whether the account has the wanted value: by what was read, or
// by what was last sent where the connector could not read the attribute; where
// neither is known it must be sent, even to be removed. A target that stores our
// value in another case than we sent it has it, unless case counts.
func (r *run) same(a sdk.Attribute, want any, found sdk.Account) bool {
	have, read := found.Attributes[a.Name]
	sent := len(r.account.Sent) > 0 && r.account.Sent[a.Name] == r.digests[a.Name]
	switch {
	case !read:
		return sent
	case empty(want) || empty(have):
		return empty(want) && empty(have)
	}
	if a.MultiValued {
		want, have = asList(want), asList(have)
	}
	x, errX := canonical(want)
	y, errY := canonical(have)
	if errX != nil || errY != nil {
		return false
	}
	return x == y || sent && !a.CaseExact && strings.EqualFold(x, y)
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
