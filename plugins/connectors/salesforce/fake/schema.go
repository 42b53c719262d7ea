package fake

import (
	"net/http"
	"slices"
	"strings"
)

// field is one field of an object.
type field struct {
	name     string
	kind     string // string, boolean, picklist, reference, email, id
	nillable bool
	fixed    bool     // not written by clients
	length   int      // in UTF-16 code units, 0 for no bound
	options  []string // of a picklist
	to       string   // object of a reference
	parent   string   // relationship name of a reference
	external bool
}

// object is an sObject.
type object struct {
	name   string
	prefix string // of its ids
	fields []field
}

func (o object) field(name string) (field, bool) {
	i := slices.IndexFunc(o.fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return field{}, false
	}
	return o.fields[i], true
}

// relation returns the reference of that relationship name.
func (o object) relation(name string) (field, bool) {
	i := slices.IndexFunc(o.fields, func(f field) bool { return f.parent != "" && strings.EqualFold(f.parent, name) })
	if i < 0 {
		return field{}, false
	}
	return o.fields[i], true
}

func schema(external string) map[string]object {
	id := field{name: "Id", kind: "id", fixed: true}
	named := func(prefix, name string, more ...field) object {
		return object{name, prefix, append([]field{id}, more...)}
	}
	user := named("005", "User", userFields()...)
	if external != "" {
		user.fields = append(user.fields, field{name: external, kind: "string", nillable: true, length: 255, external: true})
	}
	objects := map[string]object{}
	for _, o := range []object{
		user,
		named("00e", "Profile", field{name: "Name", kind: "string"}),
		named("0PS", "PermissionSet", field{name: "Name", kind: "string"}, field{name: "Label", kind: "string"}, field{name: "IsOwnedByProfile", kind: "boolean"}),
		named("00G", "Group", field{name: "Name", kind: "string"}, field{name: "DeveloperName", kind: "string", nillable: true}, field{name: "Type", kind: "string"}),
		named("0Pa", "PermissionSetAssignment",
			field{name: "PermissionSetId", kind: "reference", nillable: true, to: "PermissionSet", parent: "PermissionSet"},
			field{name: "AssigneeId", kind: "reference", to: "User", parent: "Assignee"}),
		named("011", "GroupMember",
			field{name: "GroupId", kind: "reference", to: "Group", parent: "Group"},
			field{name: "UserOrGroupId", kind: "reference", to: "User"}),
	} {
		objects[o.name] = o
	}
	return objects
}

func userFields() []field {
	zones := []string{"GMT", "Europe/Paris", "America/Los_Angeles", "Asia/Tokyo"}
	locales := []string{"en_US", "en_GB", "fr_FR", "de_DE", "ja_JP"}
	fields := []field{
		{name: "Username", kind: "email", length: 80}, {name: "LastName", kind: "string", length: 80},
		{name: "FirstName", kind: "string", nillable: true, length: 40}, {name: "Name", kind: "string", fixed: true},
		{name: "Email", kind: "email", length: 128}, {name: "Alias", kind: "string", length: 8},
		{name: "CommunityNickname", kind: "string", length: 40}, {name: "IsActive", kind: "boolean"},
		{name: "TimeZoneSidKey", kind: "picklist", options: zones}, {name: "LocaleSidKey", kind: "picklist", options: locales},
		{name: "LanguageLocaleKey", kind: "picklist", options: []string{"en_US", "fr", "de", "ja"}},
		{name: "EmailEncodingKey", kind: "picklist", options: []string{"UTF-8", "ISO-8859-1"}},
		{name: "ProfileId", kind: "reference", to: "Profile", parent: "Profile"},
		{name: "UserRoleId", kind: "reference", nillable: true, to: "UserRole"},
		{name: "ManagerId", kind: "reference", nillable: true, to: "User", parent: "Manager"},
		{name: "FederationIdentifier", kind: "string", nillable: true, length: 512},
	}
	for name, length := range map[string]int{
		"Title": 80, "Department": 80, "Division": 80, "CompanyName": 80, "EmployeeNumber": 20, "Phone": 40, "MobilePhone": 40,
		"Street": 255, "City": 40, "State": 80, "PostalCode": 20, "Country": 80,
	} {
		fields = append(fields, field{name: name, kind: "string", nillable: true, length: length})
	}
	return fields
}

// Field is a field of an object as the org describes it.
type Field struct {
	Name, Type string
	Nillable   bool
}

// Fields returns the fields of an object.
func (o *Org) Fields(object string) []Field {
	var out []Field
	for _, f := range o.schema[object].fields {
		out = append(out, Field{f.name, f.kind, f.nillable})
	}
	return out
}

// describe answers what there is to know of an object.
func (o *Org) describe(w http.ResponseWriter, r *http.Request) {
	of, ok := o.schema[r.PathValue("object")]
	if !ok {
		o.missing(w, r)
		return
	}
	type value struct {
		Value  string `json:"value"`
		Label  string `json:"label"`
		Active bool   `json:"active"`
	}
	var fields []map[string]any
	for _, f := range of.fields {
		values := []value{}
		for _, v := range f.options {
			values = append(values, value{v, v, true})
		}
		fields = append(fields, map[string]any{
			"name": f.name, "type": f.kind, "nillable": f.nillable, "length": f.length, "createable": !f.fixed, "updateable": !f.fixed,
			"externalId": f.external, "unique": f.external, "picklistValues": values,
		})
	}
	respond(w, http.StatusOK, map[string]any{
		"name": of.name, "keyPrefix": of.prefix, "createable": true, "updateable": true, "queryable": true, "retrieveable": true,
		"deletable": of.name != "User", "fields": fields,
	})
}
