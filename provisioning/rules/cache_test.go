package rules

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

type named string

func (named) Decide(*Request) Result                             { return Result{Decision: NotApplicable} }
func (named) Uses() []Attribute                                  { return nil }
func (named) Default() Decision                                  { return Deny }
func (named) Explain(*Request, func(Attribute) bool) Explanation { return Explanation{} }
func (named) Zone() *time.Location                               { return time.UTC }

func TestCacheKeepsTheLatest(t *testing.T) {
	c := NewCache(2)
	compiled := 0
	get := func(digest string) {
		t.Helper()
		e, err := c.Get(digest, func() (Compiled, error) { compiled++; return named(digest), nil })
		if err != nil || e != named(digest) {
			t.Fatalf("Get(%s) = %v, %v", digest, e, err)
		}
	}
	get("a")
	get("b")
	get("a") // b is now the oldest
	get("c")
	if compiled != 3 || c.Len() != 2 {
		t.Fatalf("compiled %d, kept %d; want 3 and 2", compiled, c.Len())
	}
	get("a")
	if compiled != 3 {
		t.Error("a was dropped although it was used after b")
	}
	get("b")
	if compiled != 4 {
		t.Error("b was kept although it was the oldest")
	}
}

func TestCacheKeepsNoFailure(t *testing.T) {
	c := NewCache(0)
	broken := errors.New("broken")
	if _, err := c.Get("a", func() (Compiled, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Fatalf("error = %v", err)
	}
	if _, err := c.Get("a", func() (Compiled, error) { return named("a"), nil }); err != nil || c.Len() != 1 {
		t.Errorf("after a failure: %v, %d kept", err, c.Len())
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := NewCache(3)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				d := fmt.Sprint((i + j) % 5)
				if e, err := c.Get(d, func() (Compiled, error) { return named(d), nil }); err != nil || e != named(d) {
					t.Errorf("Get(%s) = %v, %v", d, e, err)
				}
			}
		})
	}
	wg.Wait()
	if c.Len() != 3 {
		t.Errorf("%d kept, want 3", c.Len())
	}
}

func TestDigestKeepsPartsApart(t *testing.T) {
	if Digest("ab", "c") == Digest("a", "bc") || Digest("a") == Digest("a", "") {
		t.Error("different parts have one digest")
	}
	if Digest("cel", "x") != Digest("cel", "x") {
		t.Error("equal parts have two digests")
	}
}

func TestErrorNamesThePlace(t *testing.T) {
	for want, e := range map[string]Error{
		"3:7: bad":     {Line: 3, Column: 7, Text: "bad"},
		"p2:3:7: bad":  {Source: "p2", Line: 3, Column: 7, Text: "bad"},
		"p2: too long": {Source: "p2", Text: "too long"},
		"too long":     {Text: "too long"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("error = %q, want %q", got, want)
		}
	}
}
