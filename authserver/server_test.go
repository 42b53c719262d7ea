package authserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type family func(mux *http.ServeMux)

func (f family) Mount(mux *http.ServeMux) { f(mux) }

func serve(t *testing.T, ready error, log *strings.Builder) *httptest.Server {
	routes := family(func(mux *http.ServeMux) {
		mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret detail") })
		mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("late")
		})
		mux.HandleFunc("GET /flush", func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	})
	srv := httptest.NewServer(New(Options{
		Log:      slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Families: []Mounter{routes},
		Ready:    func(context.Context) error { return ready },
		Panicked: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sorry", http.StatusInternalServerError) },
	}))
	t.Cleanup(srv.Close)
	return srv
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	buf := make([]byte, 1024)
	n, _ := res.Body.Read(buf)
	return res.StatusCode, string(buf[:n])
}

func TestPanicIsOpaqueAndLogged(t *testing.T) {
	var log strings.Builder
	srv := serve(t, nil, &log)
	status, body := get(t, srv.URL+"/panic?code=topsecret")
	if status != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("panic answered %d %q", status, body)
	}
	srv.Close() // ends the handlers, so that the log is whole
	if !strings.Contains(log.String(), "handler panicked") || strings.Contains(log.String(), "topsecret") {
		t.Errorf("log = %s; want the panic without the query", log.String())
	}
}

func TestPanicAfterTheResponseBeganAddsNothing(t *testing.T) {
	if _, body := get(t, serve(t, nil, &strings.Builder{}).URL+"/half"); body != "half" {
		t.Errorf("body = %q, want only what was written", body)
	}
}

func TestReadiness(t *testing.T) {
	if status, _ := get(t, serve(t, nil, &strings.Builder{}).URL+"/readyz"); status != http.StatusOK {
		t.Errorf("ready: %d", status)
	}
	down := serve(t, errors.New("database gone"), &strings.Builder{})
	if status, body := get(t, down.URL+"/readyz"); status != http.StatusServiceUnavailable || strings.Contains(body, "database") {
		t.Errorf("not ready: %d %q", status, body)
	}
	if status, _ := get(t, down.URL+"/healthz"); status != http.StatusOK {
		t.Errorf("alive though not ready: %d", status)
	}
}

func TestFlushReachesTheConnection(t *testing.T) {
	if status, body := get(t, serve(t, nil, &strings.Builder{}).URL+"/flush"); status != http.StatusOK {
		t.Errorf("flush: %d %q", status, body)
	}
}

// requests notes what it is told.
type requests chan string

func (r requests) Request(route string, status int, took time.Duration) {
	if took <= 0 {
		status = -1
	}
	r <- fmt.Sprint(route, " ", status)
}

// Whatever the path, there are no more names than routes.
func TestRequestsAreToldByRoute(t *testing.T) {
	seen := make(requests, 1)
	routes := family(func(mux *http.ServeMux) {
		mux.HandleFunc("GET /user/{id}", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("GET /tree/{id}/", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("once") })
	})
	h := New(Options{
		Log: slog.New(slog.DiscardHandler), Families: []Mounter{routes}, Requests: seen,
		Panicked: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	})
	tests := map[string]string{
		"/user/ann": "GET /user/{id} 200", "/user/bob?x=1": "GET /user/{id} 200", "/nowhere/1": " 404", "/panic": "GET /panic 500",
		"/tree/ann/x": "GET /tree/{id}/ 200", "/healthz": "GET /healthz 200",
	}
	for path, want := range tests {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		if got := <-seen; got != want {
			t.Errorf("%s was told as %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"/user//ann", "/tree/ann"} { // how these redirects are told is the mux's affair
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		if got := <-seen; strings.Contains(got, "ann") || !strings.Contains(got, " 30") {
			t.Errorf("%s was told as %q, want a redirect without the path", path, got)
		}
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/user/ann", nil))
	if got := <-seen; got != " 405" {
		t.Errorf("another method was told as %q", got)
	}
}

// No endpoint reads for ever.
func TestBodiesAreBounded(t *testing.T) {
	var got error
	routes := family(func(mux *http.ServeMux) {
		mux.HandleFunc("POST /", func(_ http.ResponseWriter, r *http.Request) { _, got = io.Copy(io.Discard, r.Body) })
	})
	h := New(Options{Log: slog.New(slog.DiscardHandler), Families: []Mounter{routes}})
	for size, ok := range map[int]bool{maxBody: true, maxBody + 1: false} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", size))))
		if (got == nil) != ok {
			t.Errorf("a body of %d bytes: %v", size, got)
		}
	}
}

func TestSecurityTxtNeedsAContact(t *testing.T) {
	h := New(Options{Log: slog.New(slog.DiscardHandler), Families: []Mounter{SecurityTxt{Now: time.Now}}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, securityTxtPath, nil))
	if w.Code != http.StatusNotFound || w.Header().Get("Strict-Transport-Security") != "" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}
