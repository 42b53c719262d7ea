package authserver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// Mounter registers an endpoint family's handlers.
type Mounter interface {
	Mount(mux *http.ServeMux)
}

// Options is what the HTTP surface is made of.
type Options struct {
	Log *slog.Logger
	// Families are mounted in order; a path claimed twice panics at start.
	Families []Mounter
	// Ready reports whether this instance can serve; nil when it can.
	Ready func(ctx context.Context) error
	// Panicked shows a page for a request whose handler panicked.
	Panicked func(w http.ResponseWriter, r *http.Request)
	// HTTPS is set when people reach this server by https, through a proxy or not.
	HTTPS bool
	// Requests is told of every request that was answered; nil tells nobody.
	Requests RequestObserver
}

// RequestObserver is told of answered requests.
type RequestObserver interface {
	// Request is told the pattern that the request was routed by, such as
	// "GET /oauth2/authorize" and "" for none, never its path: what it is told of takes as
	// many values as the server has routes. took lasts to the end of the answer.
	Request(route string, status int, took time.Duration)
}

const readyTimeout = 2 * time.Second

// New returns the server's handler.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { health(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", o.ready)
	for _, family := range o.Families {
		family.Mount(mux)
	}
	return o.withRequestID(o.logged(o.hardened(o.recovered(mux))))
}

func (o Options) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := o.Ready(ctx); err != nil {
		o.Log.WarnContext(r.Context(), "not ready", "error", err)
		health(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	health(w, http.StatusOK, "ready")
}

func health(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": text})
}
