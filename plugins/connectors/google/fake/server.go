package fake

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options make a fake.
type Options struct {
	// Violation is told everything that contradicts the discovery documents.
	Violation func(string)
	// Domains of the customer; nil means example.com.
	Domains []string
	// OrgUnits there are beside the topmost.
	OrgUnits []string
	// Groups there are.
	Groups []string
	// Schemas are the fields of the custom schemas there are.
	Schemas map[string][]string
	// Scopes the administrator has delegated; nil means every scope.
	Scopes []string
}

// Answer is a refusal that a test scripts.
type Answer struct {
	Status     int
	Reason     string // errors[0].reason
	Message    string
	RetryAfter string
	Body       string // instead of an error in JSON
	After      bool   // the request is carried out first
}

// Server is the fake. It is an http.Handler and may be used concurrently.
type Server struct {
	options Options
	api     *api
	key     *rsa.PrivateKey

	mu      sync.Mutex
	last    int64
	users   map[string]map[string]any // by id, as they are in JSON
	groups  map[string]map[string]string
	outside []string // addresses of unmanaged accounts
	tokens  map[string][]string
	script  map[string][]Answer // by method
	calls   []string            // ids of methods
	grants  int
	auds    map[string]bool // addresses of the token endpoint
	workers map[string]bool // tokens of federated workloads
}

// serviceKey is made once: it takes a while.
var serviceKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// New returns a fake without accounts.
func New(o Options) (*Server, error) {
	if o.Domains == nil {
		o.Domains = []string{"example.com"}
	}
	api, err := newAPI()
	if err != nil {
		return nil, err
	}
	key, err := serviceKey()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, api: api, key: key, last: 100_000_000_000_000_000,
		users: map[string]map[string]any{}, groups: map[string]map[string]string{},
		tokens: map[string][]string{}, script: map[string][]Answer{}, workers: map[string]bool{}, auds: map[string]bool{},
	}
	for _, g := range o.Groups {
		s.groups[strings.ToLower(g)] = map[string]string{}
	}
	return s, nil
}

// Script makes the next requests for a method, such as directory.users.insert,
// be answered so.
func (s *Server) Script(method string, answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[method] = append(s.script[method], answers...)
}

// Calls returns the methods called so far, tokens not among them.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Forget makes Calls and Grants begin anew.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.grants = nil, 0
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/token":
		s.serveToken(w, r)
		return
	case "/sts":
		s.serveExchange(w, r)
		return
	}
	m, path := s.api.find(r)
	if m == nil {
		s.violation("%s %s: there is no such method", r.Method, r.URL.Path)
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	var decoded any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &decoded); err != nil {
			s.violation("%s: the body is no JSON: %v", m.ID, err)
		}
	}
	s.checkRequest(m, r, decoded)
	recorded := httptest.NewRecorder()
	object, _ := decoded.(map[string]any)
	if scripted := s.answer(recorded, request{r: r, m: m, path: path, body: object}); !scripted {
		s.checkAnswer(m, recorded)
	}
	for name, values := range recorded.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(recorded.Code)
	_, _ = io.Copy(w, recorded.Body)
}

// request is one request for a method.
type request struct {
	r    *http.Request
	m    *method
	path map[string]string
	body map[string]any
}

// answer carries out a request, unless another answer is scripted.
func (s *Server) answer(w http.ResponseWriter, q request) (scripted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, q.m.ID)
	if queue := s.script[q.m.ID]; len(queue) > 0 {
		s.script[q.m.ID] = queue[1:]
		if queue[0].After {
			s.dispatch(httptest.NewRecorder(), q)
		}
		queue[0].write(w)
		return true
	}
	s.dispatch(w, q)
	return false
}

func (s *Server) dispatch(w http.ResponseWriter, q request) {
	if !s.authorized(w, q) {
		return
	}
	handle := map[string]func(http.ResponseWriter, request){
		"directory.users.get": s.getUser, "directory.users.list": s.listUsers, "directory.users.insert": s.insertUser,
		"directory.users.update": s.updateUser, "directory.users.delete": s.deleteUser,
		"directory.groups.list": s.listGroups, "directory.groups.get": s.getGroup,
		"directory.members.insert": s.insertMember, "directory.members.delete": s.deleteMember,
		"directory.schemas.get":                           s.getSchema,
		"iamcredentials.projects.serviceAccounts.signJwt": s.signJWT,
	}[q.m.ID]
	if handle == nil {
		refuse(w, http.StatusNotImplemented, "notImplemented", "the fake does not know "+q.m.ID)
		return
	}
	handle(w, q)
}

func (s *Server) violation(format string, args ...any) {
	if s.options.Violation != nil {
		s.options.Violation(fmt.Sprintf(format, args...))
	}
}

func (s *Server) checkRequest(m *method, r *http.Request, body any) {
	wrong := m.checkQuery(r.URL.Query())
	switch {
	case m.Request != nil && body == nil:
		wrong = append(wrong, "the body is missing")
	case m.Request == nil && body != nil:
		wrong = append(wrong, "it has a body")
	case m.Request != nil:
		wrong = append(wrong, m.checkBody(m.Request, body, true)...)
	}
	for _, problem := range wrong {
		s.violation("%s: request: %s", m.ID, problem)
	}
}

func (s *Server) checkAnswer(m *method, rec *httptest.ResponseRecorder) {
	if rec.Code/100 != 2 || rec.Code == http.StatusAccepted {
		return
	}
	if m.Response == nil {
		if rec.Body.Len() > 0 {
			s.violation("%s: answer: it has a body", m.ID)
		}
		return
	}
	var body any
	if err := json.NewDecoder(bytes.NewReader(rec.Body.Bytes())).Decode(&body); err != nil {
		s.violation("%s: answer: it is no JSON: %v", m.ID, err)
		return
	}
	for _, problem := range m.checkBody(m.Response, body, false) {
		s.violation("%s: answer: %s", m.ID, problem)
	}
}

func (a Answer) write(w http.ResponseWriter) {
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	if a.Body == "" {
		refuse(w, a.Status, a.Reason, a.Message)
		return
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// refuse answers as Google's older APIs do.
func refuse(w http.ResponseWriter, status int, reason, message string) {
	respond(w, status, map[string]any{"error": map[string]any{
		"code": status, "message": message,
		"errors": []any{map[string]any{"domain": "global", "reason": reason, "message": message}},
	}})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// id returns a new id of Google's kind.
func (s *Server) id() string {
	s.last++
	return fmt.Sprintf("1%020d", s.last)
}

func timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
