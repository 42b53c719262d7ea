package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// document is the part of a discovery document that is used.
type document struct {
	Parameters map[string]*schema   `json:"parameters"`
	Resources  map[string]*resource `json:"resources"`
	Schemas    map[string]*schema   `json:"schemas"`
}

type resource struct {
	Methods   map[string]*method   `json:"methods"`
	Resources map[string]*resource `json:"resources"`
}

// method is one method of the API.
type method struct {
	ID         string             `json:"id"`
	HTTPMethod string             `json:"httpMethod"`
	Path       string             `json:"path"`
	Parameters map[string]*schema `json:"parameters"`
	Request    *schema            `json:"request"`
	Response   *schema            `json:"response"`
	Scopes     []string           `json:"scopes"`

	path  *regexp.Regexp
	names []string // of the groups of path
	doc   *document
}

type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 string             `json:"type"`
	Format               string             `json:"format"`
	Location             string             `json:"location"`
	Pattern              string             `json:"pattern"`
	Required             bool               `json:"required"`
	ReadOnly             bool               `json:"readOnly"`
	Enum                 []string           `json:"enum"`
	Minimum              string             `json:"minimum"`
	Maximum              string             `json:"maximum"`
	Items                *schema            `json:"items"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Annotations          struct {
		Required []string `json:"required"`
	} `json:"annotations"`
}

// anyTypes are the lists of a user that the document declares as "any", although
// it has the schemas of their entries.
var anyTypes = map[string]string{
	"addresses": "UserAddress", "emails": "UserEmail", "externalIds": "UserExternalId", "ims": "UserIm",
	"locations": "UserLocation", "organizations": "UserOrganization", "phones": "UserPhone", "relations": "UserRelation",
}

// documents are the discovery documents in Google's module, in the module cache.
var documents = sync.OnceValues(func() ([]*document, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		return nil, fmt.Errorf("find Google's module: %w", err)
	}
	var docs []*document
	for _, name := range []string{"admin/directory/v1/admin-api.json", "iamcredentials/v1/iamcredentials-api.json"} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), name))
		if err != nil {
			return nil, err
		}
		d := &document{}
		if err := json.Unmarshal(text, d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for name, ref := range anyTypes {
			if u := d.Schemas["User"]; u != nil {
				u.Properties[name] = &schema{Type: "array", Items: &schema{Ref: ref}}
			}
		}
		docs = append(docs, d)
	}
	return docs, nil
})

// api finds methods and checks what goes to them and comes from them.
type api struct{ methods []*method }

func newAPI() (*api, error) {
	docs, err := documents()
	if err != nil {
		return nil, err
	}
	a := &api{}
	for _, d := range docs {
		for _, r := range d.Resources {
			a.add(d, r)
		}
	}
	return a, nil
}

func (a *api) add(d *document, r *resource) {
	for _, declared := range r.Methods {
		m := *declared // the documents are shared
		m.doc = d
		pattern := regexp.MustCompile(`\\\{\\?\+?(\w+)\\\}`).ReplaceAllStringFunc(regexp.QuoteMeta(m.Path), func(v string) string {
			name := strings.Trim(v, `\{}+`)
			m.names = append(m.names, name)
			if strings.Contains(v, "+") { // reserved expansion: several segments
				return `(.+?)`
			}
			return `([^/]+)`
		})
		m.path = regexp.MustCompile("^/" + pattern + "$")
		a.methods = append(a.methods, &m)
	}
	for _, sub := range r.Resources {
		a.add(d, sub)
	}
}

// find returns the method for a request and the values in its path.
func (a *api) find(r *http.Request) (*method, map[string]string) {
	for _, m := range a.methods {
		match := m.path.FindStringSubmatch(r.URL.EscapedPath())
		if m.HTTPMethod != r.Method || match == nil {
			continue
		}
		if values, ok := m.values(match[1:]); ok {
			return m, values
		}
	}
	return nil, nil
}

// values are what stands in the path, with ok false if a parameter may not be so.
func (m *method) values(texts []string) (values map[string]string, ok bool) {
	values = map[string]string{}
	for i, name := range m.names {
		v, err := url.PathUnescape(texts[i])
		if p := m.Parameters[name]; err != nil || p == nil || p.Pattern != "" && !regexp.MustCompile(p.Pattern).MatchString(v) {
			return nil, false
		}
		values[name] = v
	}
	return values, true
}

// checkQuery returns what is wrong with the parameters.
func (m *method) checkQuery(query url.Values) (wrong []string) {
	for name, values := range query {
		p := m.Parameters[name]
		if p == nil || p.Location != "query" {
			p = m.doc.Parameters[name]
		}
		if p == nil {
			wrong = append(wrong, fmt.Sprintf("parameter %s is unknown", name))
			continue
		}
		for _, v := range values {
			if problem := p.checkText(v); problem != "" {
				wrong = append(wrong, fmt.Sprintf("parameter %s: %s", name, problem))
			}
		}
	}
	return wrong
}

func (s *schema) checkText(v string) string {
	switch s.Type {
	case "boolean":
		if v != "true" && v != "false" {
			return fmt.Sprintf("%q is no boolean", v)
		}
	case "integer":
		n, err := strconv.ParseInt(v, 10, 64)
		low, _ := strconv.ParseInt(s.Minimum, 10, 64)
		high, errHigh := strconv.ParseInt(s.Maximum, 10, 64)
		if err != nil || s.Minimum != "" && n < low || errHigh == nil && n > high {
			return fmt.Sprintf("%q is no number from %s to %s", v, s.Minimum, s.Maximum)
		}
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Sprintf("%q is none of %v", v, s.Enum)
	}
	return ""
}

// checkBody returns what is wrong with a decoded JSON body. In a request,
// read-only properties and missing ones are wrong, too.
func (m *method) checkBody(s *schema, body any, request bool) []string {
	c := checker{m: m, request: request}
	c.value("", s, body)
	return c.wrong
}

type checker struct {
	m       *method
	request bool
	wrong   []string
}

func (c *checker) report(at, format string, args ...any) {
	c.wrong = append(c.wrong, strings.TrimPrefix(at, ".")+": "+fmt.Sprintf(format, args...))
}

func (c *checker) value(at string, s *schema, v any) {
	if s.Ref != "" {
		s = c.m.doc.Schemas[s.Ref]
	}
	if v == nil {
		if !c.request {
			c.report(at, "is null in an answer")
		}
		return
	}
	ok := true
	switch s.Type {
	case "object":
		object, isObject := v.(map[string]any)
		if ok = isObject; ok {
			c.object(at, s, object)
		}
	case "array":
		list, isList := v.([]any)
		ok = isList
		for i, e := range list {
			c.value(fmt.Sprintf("%s[%d]", at, i), s.Items, e)
		}
	case "string":
		text, isText := v.(string)
		ok = isText && (s.Enum == nil || slices.Contains(s.Enum, text))
	case "boolean":
		_, ok = v.(bool)
	case "integer", "number":
		_, ok = v.(float64)
	}
	if !ok {
		c.report(at, "%#v is no %s", v, s.Type)
	}
}

func (c *checker) object(at string, s *schema, object map[string]any) {
	for name, v := range object {
		p := s.Properties[name]
		switch {
		case p == nil && s.AdditionalProperties != nil:
			c.value(at+"."+name, s.AdditionalProperties, v)
		case p == nil:
			c.report(at+"."+name, "is unknown")
		case p.ReadOnly && c.request:
			c.report(at+"."+name, "is read-only and was sent")
		default:
			c.value(at+"."+name, p, v)
		}
	}
	for name, p := range s.Properties {
		if _, given := object[name]; c.request && !given && slices.Contains(p.Annotations.Required, c.m.ID) {
			c.report(at+"."+name, "is required and was not sent")
		}
	}
}
