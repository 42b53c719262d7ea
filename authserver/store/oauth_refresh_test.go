package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/store"
)

const grace = 10 * time.Second

// exchange uses a token and adds the next, as the provider does.
func exchange(ctx context.Context, s *store.OAuth, old, fresh op.RefreshToken, at time.Time) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		err := s.UseRefreshToken(ctx, op.RefreshUse{
			Hash: old.Hash, Grant: old.Grant, Generation: old.Generation, At: at, Keep: at.Add(time.Hour), Grace: grace,
		})
		if err != nil {
			return err
		}
		return s.AddRefreshToken(ctx, fresh)
	})
}

func refreshToken(grant op.GrantID, name string, parent op.RefreshToken) op.RefreshToken {
	return op.RefreshToken{
		Hash: op.HashToken(string(grant) + " " + name), Grant: grant, Decision: "d", Generation: parent.Generation + 1, Parent: parent.Hash,
		ExpiresAt: oauthNow.Add(24 * time.Hour), KeepUntil: oauthNow.Add(24 * time.Hour),
	}
}

func newFamily(t *testing.T, s *store.OAuth, id string) op.RefreshToken {
	t.Helper()
	must(t, s.AddGrant(t.Context(), oauthGrant(id)))
	first := refreshToken(op.GrantID(id), "first", op.RefreshToken{})
	must(t, s.AddRefreshToken(t.Context(), first))
	return first
}

// family is what ought to be: tokens in the order they were issued.
type family struct {
	tokens []op.RefreshToken
	now    time.Time
}

func (f *family) newest() int {
	last := 0
	for _, t := range f.tokens {
		last = max(last, t.Generation)
	}
	return last
}

// allows says in words of its own what UseRefreshToken says in SQL: an unused token
// of the newest generation, or the parent of that within the grace.
func (f *family) allows(token op.RefreshToken) bool {
	if token.UsedAt.IsZero() {
		return token.Generation == f.newest()
	}
	parent := false
	for _, t := range f.tokens {
		parent = parent || t.Generation == f.newest() && t.Parent == token.Hash
	}
	return parent && f.now.Sub(token.UsedAt) < grace
}

// Whatever tokens of a family come in whatever order and time, each is taken or
// refused as the model says, and only one of a generation ever has successors.
func TestRefreshGenerations(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		const families, steps = 40, 12
		random := rand.New(rand.NewPCG(1, 2))
		taken, refused := 0, 0
		for i := range families {
			f := family{now: oauthNow}
			f.tokens = append(f.tokens, newFamily(t, s, fmt.Sprint("g", i)))
			for step := range steps {
				f.now = f.now.Add([]time.Duration{0, 1, 4, 9, 11}[random.IntN(5)] * time.Second)
				n := len(f.tokens)
				chosen := &f.tokens[n-1-min(random.IntN(n), random.IntN(n))]
				want := f.allows(*chosen)
				fresh := refreshToken(chosen.Grant, fmt.Sprint(step), *chosen)
				err := exchange(t.Context(), s, *chosen, fresh, f.now)
				if want != (err == nil) || err != nil && !errors.Is(err, op.ErrUsed) {
					t.Fatalf("family %d step %d: token %+v of newest generation %d at %s: %v, want taken = %v", i, step, chosen, f.newest(), f.now, err, want)
				}
				if err != nil {
					refused++
					continue // the provider would end the family; here it goes on
				}
				taken++
				if chosen.UsedAt.IsZero() {
					chosen.UsedAt = f.now
				}
				f.tokens = append(f.tokens, fresh)
				_, got, err := s.RefreshToken(t.Context(), fresh.Hash)
				if err != nil || got.Newest != f.newest() || got.Parent != fresh.Parent {
					t.Fatalf("the new token is %+v, %v; want newest generation %d", got, err, f.newest())
				}
			}
			oneHeir(t, f)
		}
		if taken < families || refused < families {
			t.Errorf("%d taken and %d refused: the test shows little", taken, refused)
		}
	})
}

// oneHeir checks that no two tokens of a generation have successors.
func oneHeir(t *testing.T, f family) {
	t.Helper()
	parents := map[int]op.TokenHash{}
	for _, token := range f.tokens {
		if known, ok := parents[token.Generation]; ok && known != token.Parent {
			t.Errorf("generation %d comes of two tokens", token.Generation)
		}
		parents[token.Generation] = token.Parent
	}
}

// Two tokens of one generation at the same time: one goes on.
func TestRefreshSiblingsInParallel(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		for round := range 8 {
			first := newFamily(t, s, fmt.Sprint("g", round))
			siblings := [2]op.RefreshToken{refreshToken(first.Grant, "a", first), refreshToken(first.Grant, "b", first)}
			for _, sibling := range siblings {
				must(t, exchange(t.Context(), s, first, sibling, oauthNow))
			}
			var errs [2]error
			var wg sync.WaitGroup
			for i, sibling := range siblings {
				wg.Go(func() {
					errs[i] = exchange(t.Context(), s, sibling, refreshToken(first.Grant, fmt.Sprint("next", i), sibling), oauthNow)
				})
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), op.ErrUsed) {
				t.Fatalf("errors %v; want one to go on and the other used", errs)
			}
		}
	})
}

// A family that was revoked has no use of its tokens, whatever was read before.
func TestRefreshOfRevokedGrant(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		first := newFamily(t, s, "g")
		must(t, s.RevokeGrant(t.Context(), "g", oauthNow))
		if err := exchange(t.Context(), s, first, refreshToken("g", "x", first), oauthNow); !errors.Is(err, op.ErrUsed) {
			t.Errorf("exchange = %v, want ErrUsed", err)
		}
	})
}
