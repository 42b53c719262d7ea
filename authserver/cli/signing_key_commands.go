package cli

import (
	"context"
	"io"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

// signingKeyView is what key list prints of a key.
type signingKeyView struct {
	KID        string     `json:"kid"`
	Alg        keys.Alg   `json:"alg"`
	Generation int        `json:"generation"`
	CreatedAt  time.Time  `json:"created_at"`
	SignsFrom  time.Time  `json:"signs_from"`
	RetiresAt  *time.Time `json:"retires_at,omitempty"` // no longer published then
}

func viewSigningKey(k keys.StoredKey) signingKeyView {
	v := signingKeyView{KID: k.KID, Alg: k.Alg, Generation: k.Generation, CreatedAt: k.CreatedAt.UTC(), SignsFrom: k.ActiveAt.UTC()}
	if !k.RetireAt.IsZero() {
		at := k.RetireAt.UTC()
		v.RetiresAt = &at
	}
	return v
}

type keyListCommand struct{}

// Run lists the signing keys.
func (keyListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error { return r.printSigningKeys(ctx, s) })
}

func (r *run) printSigningKeys(ctx context.Context, s *daemon.System) error {
	all, err := s.SigningKeys(ctx)
	if err != nil {
		return err
	}
	return r.print(list(all, viewSigningKey), func(w io.Writer) {
		row(w, "ALG", "GENERATION", "KID", "SIGNS FROM", "PUBLISHED UNTIL")
		for _, k := range all {
			until := "-"
			if !k.RetireAt.IsZero() {
				until = k.RetireAt.UTC().Format(time.RFC3339)
			}
			row(w, k.Alg, k.Generation, k.KID, k.ActiveAt.UTC().Format(time.RFC3339), until)
		}
	})
}

type keyRotateCommand struct {
	Alg keys.Alg `help:"Only this algorithm: ${enum}." enum:"RS256,ES256,EdDSA,all" default:"all"`
}

// Run makes the next signing keys and prints all.
func (c keyRotateCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		algs := []keys.Alg{c.Alg}
		if c.Alg == "all" {
			algs = keys.Algs()
		}
		err := acts(ctx, s, "key.rotate", named("key", string(c.Alg)), func(ctx context.Context) error { return s.RotateSigningKeys(ctx, algs) })
		if err != nil {
			return err
		}
		return r.printSigningKeys(ctx, s)
	})
}
