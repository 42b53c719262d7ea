package fake

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// add stores a row and returns its id.
func (o *Org) add(name string, row Row) string {
	o.last++
	id := checked(fmt.Sprintf("%s5g%010d", o.schema[name].prefix, o.last))
	row["Id"] = id
	o.rows[name][id] = row
	return id
}

// checked adds the checksum of three characters to an id of fifteen.
func checked(id string) string {
	var suffix strings.Builder
	for start := 0; start < 15; start += 5 {
		index := 0
		for i, c := range id[start : start+5] {
			if c >= 'A' && c <= 'Z' {
				index += 1 << i
			}
		}
		if index < 26 {
			suffix.WriteByte(byte('A' + index))
		} else {
			suffix.WriteByte(byte('0' + index - 26))
		}
	}
	return id + suffix.String()
}

// sorted returns copies of an object's rows, by id without the checksum.
func (o *Org) sorted(name string) []Row {
	var out []Row
	for _, id := range slices.SortedFunc(maps.Keys(o.rows[name]), func(a, b string) int { return cmp.Compare(a[:15], b[:15]) }) {
		out = append(out, maps.Clone(o.rows[name][id]))
	}
	return out
}

// find returns a row by an id of either form, nil if there is none.
func (o *Org) find(name, id string) Row {
	if len(id) == 15 {
		id = checked(id)
	}
	return o.rows[name][id]
}

func (o *Org) related(row Row, reference, name string) Row { return o.find(name, text(row[reference])) }

func (o *Org) create(w http.ResponseWriter, r *http.Request) {
	of, ok := o.schema[r.PathValue("object")]
	row, decoded := Row(nil), false
	if ok {
		row, decoded = decode(w, r)
	} else {
		o.missing(w, r)
	}
	if !decoded {
		return
	}
	id, refusal := o.insert(of, row)
	if refusal != nil {
		refusal.write(w)
		return
	}
	respond(w, http.StatusCreated, saved(id, true))
}

func saved(id string, created bool) map[string]any {
	return map[string]any{"id": id, "success": true, "errors": []any{}, "created": created}
}

func (o *Org) insert(of object, row Row) (id string, r *refusal) {
	if r := o.check(of, row, nil); r != nil {
		return "", r
	}
	for id, link := range o.rows[of.name] { // a group takes a member twice without complaint
		if of.name == "GroupMember" && link["GroupId"] == row["GroupId"] && link["UserOrGroupId"] == row["UserOrGroupId"] {
			return id, nil
		}
	}
	return o.add(of.name, row), nil
}

// row answers GET, PATCH and DELETE of one row.
func (o *Org) row(w http.ResponseWriter, r *http.Request) {
	of, ok := o.schema[r.PathValue("object")]
	row := o.find(of.name, r.PathValue("id"))
	if !ok || row == nil {
		o.missing(w, r)
		return
	}
	switch {
	case r.Method == http.MethodGet:
		o.read(w, r, of, row)
	case r.Method == http.MethodPatch:
		o.update(w, r, of, row)
	case r.Method == http.MethodDelete && of.name != "User":
		delete(o.rows[of.name], text(row["Id"]))
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP Method '"+r.Method+"' not allowed. Allowed are HEAD,GET,PATCH")
	}
}

func (o *Org) read(w http.ResponseWriter, r *http.Request, of object, row Row) {
	names := []string{}
	if given := r.URL.Query().Get("fields"); given != "" {
		names = strings.Split(given, ",")
	} else {
		for _, f := range of.fields {
			names = append(names, f.name)
		}
	}
	shown, refusal := o.project(of, row, names)
	if refusal != nil {
		refusal.write(w)
		return
	}
	shown["attributes"] = map[string]string{"type": of.name, "url": r.URL.Path}
	respond(w, http.StatusOK, shown)
}

// project picks the fields of a row by name; "Parent.Field" goes over a
// reference.
func (o *Org) project(of object, row Row, names []string) (Row, *refusal) {
	out := Row{}
	for _, name := range names {
		name = strings.TrimSpace(name)
		parent, rest, nested := strings.Cut(name, ".")
		if !nested {
			f, ok := of.field(name)
			if !ok {
				return nil, refused("INVALID_FIELD", "No such column '"+name+"' on entity '"+of.name+"'.")
			}
			out[f.name] = row[f.name]
			continue
		}
		f, ok := of.relation(parent)
		if !ok {
			return nil, refused("INVALID_FIELD", "Didn't understand relationship '"+parent+"' in field path.")
		}
		target := o.related(row, f.name, f.to)
		if target == nil {
			out[f.parent] = nil
			continue
		}
		inner, refusal := o.project(o.schema[f.to], target, []string{rest})
		if refusal != nil {
			return nil, refusal
		}
		inner["attributes"] = map[string]string{"type": f.to}
		if have, ok := out[f.parent].(Row); ok {
			maps.Copy(inner, have)
		}
		out[f.parent] = inner
	}
	return out, nil
}

func (o *Org) update(w http.ResponseWriter, r *http.Request, of object, row Row) {
	change, ok := decode(w, r)
	if !ok {
		return
	}
	if refusal := o.check(of, change, row); refusal != nil {
		refusal.write(w)
		return
	}
	maps.Copy(row, change)
	o.settle(of, row)
	w.WriteHeader(http.StatusNoContent)
}

// upsert creates or changes by an external id.
func (o *Org) upsert(w http.ResponseWriter, r *http.Request) {
	of := o.schema[r.PathValue("object")]
	f, ok := of.field(r.PathValue("field"))
	if !ok || !f.external {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+r.PathValue("field"))
		return
	}
	change, ok := decode(w, r)
	if !ok {
		return
	}
	if _, given := change[f.name]; given {
		refused("INVALID_FIELD", "The "+f.name+" field should not be specified in the sobject data.", f.name).write(w)
		return
	}
	var found []Row
	for _, row := range o.rows[of.name] {
		if strings.EqualFold(text(row[f.name]), r.PathValue("value")) {
			found = append(found, row)
		}
	}
	if len(found) > 1 {
		respond(w, http.StatusMultipleChoices, []string{r.URL.Path})
		return
	}
	o.upsertOne(w, of, change, found, f.name, r.PathValue("value"))
}

func (o *Org) upsertOne(w http.ResponseWriter, of object, change Row, found []Row, key, value string) {
	if len(found) == 0 {
		change[key] = value
		id, refusal := o.insert(of, change)
		if refusal != nil {
			refusal.write(w)
			return
		}
		respond(w, http.StatusCreated, saved(id, true))
		return
	}
	if refusal := o.check(of, change, found[0]); refusal != nil {
		refusal.write(w)
		return
	}
	maps.Copy(found[0], change)
	o.settle(of, found[0])
	if o.options.SilentUpserts {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	respond(w, http.StatusOK, saved(text(found[0]["Id"]), false))
}
