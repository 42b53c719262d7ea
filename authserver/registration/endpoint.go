package registration

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Path is the registration endpoint. What is registered is beneath it, by client_id.
const Path = "/oauth2/register"

// maxBodyBytes is far above what clients send.
const maxBodyBytes = 64 << 10

// retryLater is told to clients when the server is at fault.
const retryLater = 5 * time.Second

// Endpoint is the registration endpoint and the configuration endpoint of each
// application that registered there. It must not be mounted when the policy is off.
type Endpoint struct {
	*Service
	Issuer string
	// Allow counts a registration from an address. It returns how long that one must
	// wait, 0 if it may go on.
	Allow   func(ctx context.Context, address string) (time.Duration, error)
	Address func(r *http.Request) string
	Log     *slog.Logger
	// Reference makes an id that ties an answer to the log.
	Reference func() string
}

// Mount adds the endpoints to mux.
func (e Endpoint) Mount(mux *http.ServeMux) {
	mux.HandleFunc("POST "+Path, e.handled(e.create))
	mux.HandleFunc("GET "+Path+"/{client_id}", e.handled(e.show))
	mux.HandleFunc("PUT "+Path+"/{client_id}", e.handled(e.replace))
	mux.HandleFunc("DELETE "+Path+"/{client_id}", e.handled(e.delete))
}

func (e Endpoint) handled(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		if err := f(w, r); err != nil {
			e.fail(w, r, err)
		}
	}
}

// create registers an application (RFC 7591 section 3).
func (e Endpoint) create(w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(r)
	if err != nil {
		return err
	}
	wait, err := e.Allow(r.Context(), e.Address(r))
	if err != nil {
		return err
	}
	if wait > 0 {
		return tooOften(wait)
	}
	if err := e.check(r.Context(), token); err != nil {
		return err
	}
	var m metadata
	if err := e.body(w, r, &m); err != nil {
		return err
	}
	made, err := e.register(r.Context(), token, m)
	if err != nil {
		return err
	}
	e.Log.InfoContext(r.Context(), "an application registered itself", "client_id", made.app.ClientID, "name", made.app.Name, "address", e.Address(r))
	return e.write(w, http.StatusCreated, e.answer(made))
}

// show returns what is registered (RFC 7592 section 2.1), without the secret, of which
// only a hash is there.
func (e Endpoint) show(w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(r)
	if err != nil {
		return err
	}
	a, err := e.read(r.Context(), r.PathValue("client_id"), token)
	if err != nil {
		return err
	}
	return e.write(w, http.StatusOK, e.answer(registered{app: a, token: token}))
}

// replace changes what is registered (RFC 7592 section 2.2).
func (e Endpoint) replace(w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(r)
	if err != nil {
		return err
	}
	// The token is looked at first: strangers learn nothing of their metadata.
	if _, err := e.read(r.Context(), r.PathValue("client_id"), token); err != nil {
		return err
	}
	var u update
	if err := e.body(w, r, &u); err != nil {
		return err
	}
	made, err := e.change(r.Context(), r.PathValue("client_id"), token, u)
	if err != nil {
		return err
	}
	made.token = token
	e.Log.InfoContext(r.Context(), "an application changed its registration", "client_id", made.app.ClientID, "name", made.app.Name)
	return e.write(w, http.StatusOK, e.answer(made))
}

// delete removes the application (RFC 7592 section 2.3).
func (e Endpoint) delete(w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(r)
	if err != nil {
		return err
	}
	if err := e.remove(r.Context(), r.PathValue("client_id"), token); err != nil {
		return err
	}
	e.Log.InfoContext(r.Context(), "an application ended its registration", "client_id", r.PathValue("client_id"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bearer returns the token of the Authorization header, "" if there is no header.
func bearer(r *http.Request) (sdk.Secret, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", &failure{status: http.StatusUnauthorized, code: "invalid_token", text: "The Authorization header has no bearer token."}
	}
	return sdk.Secret(token), nil
}

// body reads a JSON object.
func (e Endpoint) body(w http.ResponseWriter, r *http.Request, into any) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return &failure{status: http.StatusUnsupportedMediaType, code: CodeInvalidMetadata, text: "The body must be application/json."}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &failure{status: http.StatusRequestEntityTooLarge, code: CodeInvalidMetadata, text: "The body is longer than " + strconv.Itoa(maxBodyBytes) + " bytes."}
	}
	if err != nil {
		return &failure{status: http.StatusBadRequest, code: CodeInvalidMetadata, text: "The body could not be read."}
	}
	return decode(raw, into)
}
