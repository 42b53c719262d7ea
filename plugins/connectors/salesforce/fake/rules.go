package fake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// check decides whether a change of a row may be stored, as its own rules and
// those of the object demand, and brings it into the form that is stored. row is
// nil for a new one.
func (o *Org) check(of object, change, row Row) *refusal {
	for _, name := range slices.Sorted(maps.Keys(change)) {
		f, known := of.field(name)
		if !known {
			return refused("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+of.name)
		}
		if f.fixed {
			return refused("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+f.name, f.name)
		}
		value := change[name]
		delete(change, name)
		if value == "" { // an empty text is no value
			value = nil
		}
		if value != nil {
			if r := o.checkValue(f, value); r != nil {
				return r
			}
		}
		change[f.name] = value
	}
	if r := missing(of, change, row); r != nil {
		return r
	}
	switch of.name {
	case "User":
		return o.checkUser(change, row)
	case "PermissionSetAssignment":
		return o.checkLink(of, change)
	}
	return nil
}

func (o *Org) checkValue(f field, value any) *refusal {
	if f.kind == "boolean" {
		if _, ok := value.(bool); !ok {
			return refused("JSON_PARSER_ERROR", "Cannot deserialize instance of boolean from the value of "+f.name)
		}
		return nil
	}
	s, ok := value.(string)
	switch {
	case !ok:
		return refused("JSON_PARSER_ERROR", "Cannot deserialize instance of string from the value of "+f.name)
	case f.length > 0 && len(utf16.Encode([]rune(s))) > f.length:
		return refused("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", f.name, s, f.length), f.name)
	case f.kind == "email" && !looksLikeEmail(s):
		return refused("INVALID_EMAIL_ADDRESS", f.name+": invalid email address: "+s, f.name)
	case f.kind == "picklist" && !slices.Contains(f.options, s):
		return refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f.name+": bad value for restricted picklist field: "+s, f.name)
	case f.kind == "reference" && o.find(f.to, s) == nil:
		return refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", f.name)
	}
	return nil
}

func looksLikeEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && strings.Contains(domain, ".") && !strings.ContainsAny(local+domain, " @\"\t\n()<>,;:")
}

// missing names the fields that every row has and this one would not.
func missing(of object, change, row Row) *refusal {
	var names []string
	for _, f := range of.fields {
		value, given := change[f.name]
		madeByOrg := f.fixed || f.kind == "boolean" || f.name == "CommunityNickname"
		if !f.nillable && !madeByOrg && (given && value == nil || !given && row == nil) {
			names = append(names, f.name)
		}
	}
	if names == nil {
		return nil
	}
	return refused("REQUIRED_FIELD_MISSING", fmt.Sprintf("Required fields are missing: [%s]", strings.Join(names, ", ")), names...)
}

func (o *Org) checkUser(change, row Row) *refusal {
	own := text(row["Id"])
	taken := func(name string) (id string) {
		for _, other := range o.sorted("User") {
			if v := text(change[name]); v != "" && strings.EqualFold(v, text(other[name])) && other["Id"] != own {
				return text(other["Id"])
			}
		}
		return ""
	}
	switch id := ""; {
	case taken("Username") != "" || o.taken[strings.ToLower(text(change["Username"]))]:
		return refused("DUPLICATE_USERNAME", "Duplicate Username.<br>The username already exists in this or another Salesforce organization. "+
			"Usernames must be unique across all Salesforce organizations.", "Username")
	case taken("CommunityNickname") != "":
		return refused("DUPLICATE_COMM_NICKNAME", "Duplicate Nickname.<br>Another user has already selected this nickname.", "CommunityNickname")
	default:
		if id = taken("FederationIdentifier"); id != "" {
			return refused("DUPLICATE_VALUE", "duplicate value found: FederationIdentifier duplicates value on record with id: "+id[:15], "FederationIdentifier")
		}
	}
	active, given := change["IsActive"].(bool)
	wasActive, _ := row["IsActive"].(bool)
	if given && active && !wasActive && o.options.Licences > 0 && o.active() >= o.options.Licences {
		return refused("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded")
	}
	if row == nil {
		o.settle(o.schema["User"], change)
	}
	return nil
}

// settle fills in what the org makes itself of what it was given.
func (o *Org) settle(of object, row Row) {
	if of.name != "User" {
		return
	}
	if row["IsActive"] == nil {
		row["IsActive"] = false
	}
	row["Username"] = strings.ToLower(text(row["Username"]))
	row["Email"] = strings.ToLower(text(row["Email"]))
	row["Name"] = strings.TrimSpace(text(row["FirstName"]) + " " + text(row["LastName"]))
	row["CommunityNickname"] = cmp.Or(text(row["CommunityNickname"]), fmt.Sprintf("User%d", o.last))
}

func (o *Org) active() int {
	n := 0
	for _, user := range o.rows["User"] {
		if user["IsActive"] == true {
			n++
		}
	}
	return n
}

// checkLink refuses to assign a permission set twice.
func (o *Org) checkLink(of object, change Row) *refusal {
	for _, link := range o.rows[of.name] {
		if link["AssigneeId"] == change["AssigneeId"] && link["PermissionSetId"] == change["PermissionSetId"] {
			return refused("DUPLICATE_VALUE", "duplicate value found: Duplicate PermissionSetAssignment. Assignee: "+text(change["AssigneeId"]))
		}
	}
	return nil
}
