package plugins

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anteroom-id/anteroom/sdk"
)

const redacted = "***"

// redactor takes the secrets of the open connections out of texts. It may be
// used by many goroutines.
type redactor struct {
	mu       sync.Mutex
	secrets  map[any][]string
	replacer atomic.Pointer[strings.Replacer]
}

// add makes the owner's secrets known; remove forgets them.
func (r *redactor) add(owner any, secrets map[string]sdk.Secret) {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, s.Forms()...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secrets == nil {
		r.secrets = map[any][]string{}
	}
	r.secrets[owner] = forms
	r.rebuild()
}

func (r *redactor) remove(owner any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.secrets, owner)
	r.rebuild()
}

// rebuild prepares the replacement; longer forms go first, since a shorter one
// may be part of them.
func (r *redactor) rebuild() {
	var all []string
	for _, forms := range r.secrets {
		all = append(all, forms...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(all))
	for _, s := range slices.Compact(all) {
		pairs = append(pairs, s, redacted)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// redact replaces every known secret in text, in any form it usually takes.
func (r *redactor) redact(text string) string {
	replacer := r.replacer.Load()
	if replacer == nil {
		return text
	}
	return replacer.Replace(text)
}
