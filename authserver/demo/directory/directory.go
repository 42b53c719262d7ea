package directory

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
)

// SCIMPath is where the SCIM service is: the connector's base_url ends in it.
const SCIMPath = "/scim/v2"

// SlowBy is how long mode [Slow] delays a write.
const SlowBy = 8 * time.Second

const maxBody = 1 << 20

// Mode is how the directory behaves.
type Mode string

// The modes. They concern the SCIM service only.
const (
	Normal Mode = "normal"
	Slow   Mode = "slow"   // writes take SlowBy
	Down   Mode = "down"   // everything is answered with 503
	Refuse Mode = "refuse" // new accounts are answered with 400 invalidValue, for good
)

func (m Mode) known() bool { return m == Normal || m == Slow || m == Down || m == Refuse }

// Options configure a Directory.
type Options struct {
	Token  string // for bearer authentication; with none, every request is refused
	Logger *slog.Logger
	Now    func() time.Time // time.Now when nil
}

// Directory is an http.Handler. Its methods may be called concurrently.
type Directory struct {
	token    [sha256.Size]byte
	hasToken bool
	logger   *slog.Logger
	users    *collection
	groups   *collection
	handler  http.Handler

	mu       sync.Mutex
	mode     Mode
	requests Requests
}

// Requests counts authenticated SCIM requests.
type Requests struct {
	Reads, Writes int
}

// Account is one account in the directory.
type Account struct {
	ID          string
	ExternalID  string
	UserName    string
	DisplayName string
	Email       string
	Active      bool
	Created     time.Time
}

// New returns an empty directory in mode Normal.
func New(o Options) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Directory{
		token: sha256.Sum256([]byte(o.Token)), hasToken: o.Token != "",
		logger: o.Logger, mode: Normal, users: newUsers(o.Now), groups: newGroups(o.Now),
	}
	mux := http.NewServeMux()
	mux.Handle(SCIMPath+"/", d.authenticated(d.counted(d.misbehaving(http.StripPrefix("/scim", scimServer(d.users, d.groups))))))
	mux.HandleFunc("GET /{$}", d.showPage)
	mux.HandleFunc("POST /mode", d.switchMode)
	d.handler = http.NewCrossOriginProtection().Handler(mux)
	return d
}

// ServeHTTP serves the page and the SCIM service.
func (d *Directory) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Accounts returns the accounts in the order of their creation.
func (d *Directory) Accounts() []Account { return d.users.accounts() }

// Mode returns the current mode.
func (d *Directory) Mode() Mode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mode
}

// SetMode switches the behaviour for requests that arrive from now on. An
// unknown mode changes nothing.
func (d *Directory) SetMode(m Mode) {
	if !m.known() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode = m
}

// Requests returns how often the SCIM service was called, whatever the answer.
func (d *Directory) Requests() Requests {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// scimServer is the protocol on top of the users and groups.
func scimServer(users, groups *collection) http.Handler {
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{
			MaxResults: 100, SupportFiltering: true, SupportPatch: true,
			AuthenticationSchemes: []scim.AuthenticationScheme{{
				Type: scim.AuthenticationTypeOauthBearerToken, Name: "Bearer token", Primary: true,
			}},
		},
		ResourceTypes: []scim.ResourceType{{
			ID: optional.NewString("User"), Name: "User", Endpoint: "/Users",
			Schema: schema.CoreUserSchema(), Handler: users,
		}, {
			ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups",
			Schema: schema.CoreGroupSchema(), Handler: groups,
		}},
	})
	if err != nil {
		panic(err) // the arguments above are constant
	}
	return server
}

func (d *Directory) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given))
		if !d.hasToken || !isBearer || subtle.ConstantTimeCompare(sum[:], d.token[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="directory"`)
			d.fail(w, http.StatusUnauthorized, "", "The token is not accepted.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (d *Directory) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		if isWrite(r) {
			d.requests.Writes++
		} else {
			d.requests.Reads++
		}
		d.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (d *Directory) misbehaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode := d.Mode(); {
		case mode == Down:
			d.fail(w, http.StatusServiceUnavailable, "", "The directory is closed for maintenance.")
			return
		case mode == Refuse && r.Method == http.MethodPost:
			d.fail(w, http.StatusBadRequest, errors.ScimTypeInvalidValue, "This directory does not take this person.")
			return
		case mode == Slow && isWrite(r) && !pause(r, SlowBy):
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pause reports false when the client left meanwhile.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func isWrite(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// fail answers with a SCIM error.
func (d *Directory) fail(w http.ResponseWriter, status int, kind errors.ScimType, detail string) {
	body, err := json.Marshal(errors.ScimError{ScimType: kind, Status: status, Detail: detail})
	if err != nil {
		d.logger.Error("cannot encode error", "error", err)
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		d.logger.Debug("cannot write error", "error", err)
	}
}
