package fake

import (
	"cmp"
	"crypto/rsa"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Options say what an org is like. The zero value has nobody who may sign in.
type Options struct {
	ClientID     string
	ClientSecret string         // "" refuses client credentials
	Username     string         // who may act by assertion
	Key          *rsa.PublicKey // nil refuses assertions
	Audience     string         // of assertions, "" for that of production

	Licences       int    // active users there may be, 0 for any number
	DailyRequests  int    // requests there may be, 0 for 15,000
	ExternalID     string // a custom field of User, "" for none
	PageSize       int    // records per page of a query, 0 for what the client asks for
	SilentUpserts  bool   // an upsert that changes answers 204 without a body, as old versions do
	Profiles       []string
	PermissionSets []string
	PublicGroups   []string
}

// Row is a record by field name.
type Row map[string]any

// Org is the stand-in. It is an http.Handler; its methods may be called
// concurrently.
type Org struct {
	options Options
	mux     *http.ServeMux

	mu       sync.Mutex
	schema   map[string]object
	rows     map[string]map[string]Row // by object and id
	taken    map[string]bool           // usernames of other orgs, in lower case
	sessions map[string]bool
	cursors  map[string][]Row // the rest of a query
	last     int
	requests int
	grants   int
}

// New returns an org without users.
func New(o Options) *Org {
	o.DailyRequests = cmp.Or(o.DailyRequests, 15_000)
	o.Audience = cmp.Or(o.Audience, "https://login.salesforce.com")
	org := &Org{
		options: o, mux: http.NewServeMux(), schema: schema(o.ExternalID), rows: map[string]map[string]Row{},
		taken: map[string]bool{}, sessions: map[string]bool{}, cursors: map[string][]Row{},
	}
	for name := range org.schema {
		org.rows[name] = map[string]Row{}
	}
	for _, name := range o.Profiles {
		org.add("Profile", Row{"Name": name})
	}
	for _, name := range o.PermissionSets {
		org.add("PermissionSet", Row{"Name": name, "Label": name, "IsOwnedByProfile": false})
	}
	for _, name := range o.PublicGroups {
		org.add("Group", Row{"Name": name, "DeveloperName": name, "Type": "Regular"})
	}
	org.mux.HandleFunc("POST /services/oauth2/token", org.token)
	const data = "/services/data/{version}/"
	org.mux.HandleFunc(data, org.api(org.missing))
	org.mux.HandleFunc("GET "+data+"{$}", org.api(org.resources))
	org.mux.HandleFunc("GET "+data+"limits", org.api(org.limits))
	org.mux.HandleFunc("GET "+data+"query", org.api(org.query))
	org.mux.HandleFunc("GET "+data+"query/{cursor}", org.api(org.queryMore))
	org.mux.HandleFunc("GET "+data+"sobjects/{object}/describe", org.api(org.describe))
	org.mux.HandleFunc("POST "+data+"sobjects/{object}", org.api(org.create))
	org.mux.HandleFunc(data+"sobjects/{object}/{id}", org.api(org.row))
	org.mux.HandleFunc("PATCH "+data+"sobjects/{object}/{field}/{value}", org.api(org.upsert))
	return org
}

// Users returns every user in the order they were made.
func (o *Org) Users() []Row {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sorted("User")
}

// Add puts a user there, as somebody else would have, and returns the id. What an
// org demands is made up where it is not given.
func (o *Org) Add(user Row) (id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	full := Row{
		"LastName": "Somebody", "Email": "somebody@example.com", "Alias": "some", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US",
		"LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8", "IsActive": true,
		"Username": fmt.Sprintf("somebody%d@example.com", o.last), "CommunityNickname": fmt.Sprintf("somebody%d", o.last),
	}
	maps.Copy(full, user)
	return o.add("User", full)
}

// Change sets fields of a user as somebody else would have.
func (o *Org) Change(id string, fields Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.Copy(o.rows["User"][id], fields)
}

// Remove makes a user disappear, which no client can.
func (o *Org) Remove(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.rows["User"], id)
}

// Take makes another org have a username.
func (o *Org) Take(username string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken[strings.ToLower(username)] = true
}

// EndSessions makes every access token that was given out useless.
func (o *Org) EndSessions() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.sessions)
}

// Grants returns how many access tokens were given out.
func (o *Org) Grants() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.grants
}

// Memberships returns the API names of the permission sets and public groups a
// user is in, sorted.
func (o *Org) Memberships(id string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, link := range o.rows["PermissionSetAssignment"] {
		if link["AssigneeId"] == id {
			names = append(names, text(o.related(link, "PermissionSetId", "PermissionSet")["Name"]))
		}
	}
	for _, link := range o.rows["GroupMember"] {
		if link["UserOrGroupId"] == id {
			names = append(names, text(o.related(link, "GroupId", "Group")["DeveloperName"]))
		}
	}
	slices.Sort(names)
	return names
}

// PermissionSet returns the id of the permission set, "" if there is none.
func (o *Org) PermissionSet(name string) (id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, set := range o.rows["PermissionSet"] {
		if set["Name"] == name {
			return text(set["Id"])
		}
	}
	return ""
}

// Join puts a user into a permission set or public group, as somebody else would
// have.
func (o *Org) Join(id, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, set := range o.rows["PermissionSet"] {
		if set["Name"] == name {
			o.add("PermissionSetAssignment", Row{"AssigneeId": id, "PermissionSetId": set["Id"]})
		}
	}
	for _, group := range o.rows["Group"] {
		if group["DeveloperName"] == name {
			o.add("GroupMember", Row{"UserOrGroupId": id, "GroupId": group["Id"]})
		}
	}
}

// ServeHTTP answers one request.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mux.ServeHTTP(w, r)
}

var apiVersion = regexp.MustCompile(`^v(4[6-9]|5[0-9]|6[0-9])\.0$`)

// api wraps a handler of the REST API: it needs a session, and counts.
func (o *Org) api(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !o.sessions[token] {
			refuse(w, http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
			return
		}
		o.requests++
		w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", o.requests, o.options.DailyRequests))
		switch {
		case o.requests > o.options.DailyRequests:
			refuse(w, http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
		case !apiVersion.MatchString(r.PathValue("version")):
			o.missing(w, r)
		default:
			next(w, r)
		}
	}
}

func (o *Org) missing(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func (o *Org) resources(w http.ResponseWriter, r *http.Request) {
	root := "/services/data/" + r.PathValue("version")
	respond(w, http.StatusOK, map[string]string{"sobjects": root + "/sobjects", "query": root + "/query", "limits": root + "/limits"})
}

func (o *Org) limits(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, map[string]any{
		"DailyApiRequests": map[string]int{"Max": o.options.DailyRequests, "Remaining": o.options.DailyRequests - o.requests},
	})
}
