package fake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Page sizes that an org takes.
const (
	minBatch = 200
	maxBatch = 2000
)

func (o *Org) query(w http.ResponseWriter, r *http.Request) {
	found, refusal := o.run(r.URL.Query().Get("q"))
	if refusal != nil {
		refusal.write(w)
		return
	}
	o.page(w, r, found, len(found))
}

// queryMore answers the next page: a cursor is its name, the records that were
// there when the query began, and how many there were.
func (o *Org) queryMore(w http.ResponseWriter, r *http.Request) {
	rest, ok := o.cursors[r.PathValue("cursor")]
	if !ok {
		refuse(w, http.StatusBadRequest, "INVALID_QUERY_LOCATOR", "invalid query locator")
		return
	}
	delete(o.cursors, r.PathValue("cursor"))
	o.page(w, r, rest, len(rest))
}

func (o *Org) page(w http.ResponseWriter, r *http.Request, found []Row, total int) {
	size := maxBatch
	if _, asked, ok := strings.Cut(r.Header.Get("Sforce-Query-Options"), "batchSize="); ok {
		n, _ := strconv.Atoi(asked)
		size = min(max(n, minBatch), maxBatch)
	}
	if o.options.PageSize > 0 {
		size = o.options.PageSize
	}
	answer := map[string]any{"totalSize": total, "done": true, "records": append([]Row{}, found[:min(size, len(found))]...)}
	if len(found) > size {
		o.last++
		cursor := fmt.Sprintf("01g%012d-%d", o.last, size)
		o.cursors[cursor] = found[size:]
		answer["done"], answer["nextRecordsUrl"] = false, "/services/data/"+r.PathValue("version")+"/query/"+cursor
	}
	respond(w, http.StatusOK, answer)
}

// run executes a query and returns the rows as they are shown.
func (o *Org) run(soql string) ([]Row, *refusal) {
	q, err := parse(soql)
	if err != nil {
		return nil, refused("MALFORMED_QUERY", err.Error())
	}
	of, ok := o.schema[q.object]
	if !ok {
		return nil, refused("INVALID_TYPE", "sObject type '"+q.object+"' is not supported.")
	}
	var out []Row
	for _, row := range o.sorted(of.name) {
		keep := q.where == nil
		if !keep {
			var refusal *refusal
			if keep, refusal = q.where.holds(o, of, row); refusal != nil {
				return nil, refusal
			}
		}
		if !keep {
			continue
		}
		shown, refusal := o.project(of, row, q.fields)
		if refusal != nil {
			return nil, refusal
		}
		shown["attributes"] = map[string]string{"type": of.name, "url": "/services/data/v62.0/sobjects/" + of.name + "/" + text(row["Id"])}
		out = append(out, shown)
	}
	// Names that are wrong are wrong also where nothing matches.
	if _, refusal := o.project(of, Row{}, q.fields); refusal != nil {
		return nil, refusal
	}
	if q.limit >= 0 {
		out = out[:min(q.limit, len(out))]
	}
	return out, nil
}

// holds evaluates a condition on a row.
func (c *condition) holds(o *Org, of object, row Row) (bool, *refusal) {
	if c.field == "" {
		for _, part := range c.parts {
			ok, refusal := part.holds(o, of, row)
			if refusal != nil || ok == c.or {
				return ok, refusal
			}
		}
		return !c.or, nil
	}
	shown, refusal := o.project(of, row, []string{c.field})
	if refusal != nil {
		return false, refusal
	}
	value := leaf(shown)
	same := slices.ContainsFunc(c.values, func(want any) bool {
		a, isText := value.(string)
		b, wantText := want.(string)
		if isText && wantText {
			return strings.EqualFold(a, b) || len(a) == 18 && a[:15] == b
		}
		return value == want
	})
	return same != c.not, nil
}

// leaf is the one value of a projection on one field.
func leaf(r Row) any {
	for name, v := range r {
		if name == "attributes" {
			continue
		}
		if inner, ok := v.(Row); ok {
			return leaf(inner)
		}
		return v
	}
	return nil
}
