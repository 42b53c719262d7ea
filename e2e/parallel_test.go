package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

// Fifty browsers, each at an address of its own, sign the same new user in at
// the same time: everybody gets a code, and the target one account.
func TestFiftyParallelSignInsMakeOneAccount(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: true, timeout: 30s", config: "timeout: 1m"})
		s.importUser(t, "ada")
		slow, release := held() // while all sign in: the target may take that long
		s.proxy.Script(http.MethodPost, "/Users", slow)
		rp := newRelyingParty(t, s.issuer)
		const n = 50
		pages := inParallel(t, n, func(ctx context.Context, i int) (visit, error) {
			b, r := browserAt(t, i), rp.request()
			page, err := signInAt(ctx, b, r.url, "ada")
			return visit{r, b, page}, err
		})
		release() // nobody is let in before the account exists
		s.allArrive(t, rp, pages)
	})
}

// Twenty tabs of one browser, all of which had the sign-in page open.
func TestTwentyTabsOfOneBrowserMakeOneAccount(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: true, timeout: 30s", config: "timeout: 1m"})
		s.importUser(t, "ada")
		slow, release := held() // while all sign in: the target may take that long
		s.proxy.Script(http.MethodPost, "/Users", slow)
		rp, b := newRelyingParty(t, s.issuer), newBrowser()
		const n = 20
		// The first page gives the browser its cookie.
		if _, err := b.Get(t.Context(), s.issuer+"/sign-out"); err != nil {
			t.Fatal(err)
		}
		open := inParallel(t, n, func(ctx context.Context, _ int) (visit, error) {
			r := rp.request()
			page, err := b.Get(ctx, r.url)
			return visit{r, b, page}, err
		})
		// One tab signs in, the others are reloaded: they find the session.
		page, err := b.Submit(t.Context(), open[0].page, "/sign-in", map[string]string{"login": "ada", "password": password})
		if err != nil {
			t.Fatal(err)
		}
		open[0].page = page
		pages := inParallel(t, n, func(ctx context.Context, i int) (visit, error) {
			if i == 0 {
				return open[0], nil
			}
			page, err := b.Get(ctx, open[i].page.URL.String())
			return visit{open[i].request, b, page}, err
		})
		release()
		s.allArrive(t, rp, pages)
	})
}

// The same, but every tab's form is sent, each of which renews the session. They
// are as many as may guess at the same time.
func TestFourTabsThatAllSignInMakeOneAccount(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: true, timeout: 30s"})
		s.importUser(t, "ada")
		rp, b := newRelyingParty(t, s.issuer), newBrowser()
		if _, err := b.Get(t.Context(), s.issuer+"/sign-out"); err != nil {
			t.Fatal(err)
		}
		const n = 4
		pages := inParallel(t, n, func(ctx context.Context, _ int) (visit, error) {
			r := rp.request()
			page, err := signInAt(ctx, b, r.url, "ada")
			return visit{r, b, page}, err
		})
		s.allArrive(t, rp, pages)
	})
}

// browserAt returns a browser with the i-th loopback address.
func browserAt(t *testing.T, i int) *browser.Browser {
	b := newBrowser()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i+1))}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	b.Client.Transport = transport
	return b
}

// visit is a request on its way to the application.
type visit struct {
	request request
	browser *browser.Browser
	page    *browser.Page
}

// signInAt is [signIn] for any goroutine. Another tab may have signed in before.
func signInAt(ctx context.Context, b *browser.Browser, address, login string) (*browser.Page, error) {
	page, err := b.Get(ctx, address)
	if err != nil || page.Location != nil || page.URL.Path != "/sign-in" {
		return page, err
	}
	return b.Submit(ctx, page, "/sign-in", map[string]string{"login": login, "password": password})
}

// inParallel runs f n times at once and fails the test if any run does.
func inParallel[T any](t *testing.T, n int, f func(ctx context.Context, i int) (T, error)) []T {
	t.Helper()
	results, errs := make([]T, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { results[i], errs[i] = f(t.Context(), i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%d of %d: %v", i, n, err)
		}
	}
	return results
}

// allArrive follows every page to the application, redeems every code and checks
// that there is one account, made once.
func (s *stack) allArrive(t *testing.T, rp *relyingParty, pages []visit) {
	t.Helper()
	callbacks := inParallel(t, len(pages), func(ctx context.Context, i int) (*url.URL, error) {
		return follow(ctx, pages[i].browser, pages[i].page)
	})
	subjects := inParallel(t, len(pages), func(ctx context.Context, i int) (any, error) {
		g, err := rp.exchange(ctx, pages[i].request, callbacks[i])
		return g.claims["sub"], err
	})
	codes := map[string]bool{}
	for i, callback := range callbacks {
		codes[callback.Query().Get("code")] = true
		if subjects[i] != string(s.user(t, "ada").ID) {
			t.Errorf("sub %v", subjects[i])
		}
	}
	if len(codes) != len(pages) {
		t.Errorf("%d different codes for %d requests", len(codes), len(pages))
	}
	if n := s.proxy.Count(http.MethodPost, "/Users"); n != 1 {
		t.Errorf("%d creates, want 1", n)
	}
	if found := s.up.find(t, "ada"); len(found) != 1 {
		t.Errorf("the server has %v, want one account", found)
	}
}

// follow is [arrive] for any goroutine.
func follow(ctx context.Context, b *browser.Browser, page *browser.Page) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for page.Location == nil {
		if page.Refresh == 0 {
			return nil, fmt.Errorf("page %q at %s does not go on by itself: %s", page.Title, page.URL, page.Text)
		}
		<-tick.C
		next, err := b.Get(ctx, page.URL.String())
		if err != nil {
			return nil, err
		}
		page = next
	}
	return page.Location, nil
}
