package scim2

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// Update changes the attributes named in req, and no others.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	c, err := newChange(req.Set, req.Clear)
	if err != nil {
		return sdk.Account{}, err
	}
	return t.change(ctx, req.ID, c)
}

// SetActive suspends or reactivates an account.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return t.change(ctx, req.ID, change{active: &req.Active})
}

func (t *Target) change(ctx context.Context, id string, c change) (sdk.Account, error) {
	if err := checkID(id); err != nil {
		return sdk.Account{}, err
	}
	if c.empty() {
		return t.Get(ctx, sdk.GetRequest{ID: id})
	}
	if err := t.keeps(c); err != nil {
		return sdk.Account{}, err
	}
	if t.update == updatePut || t.noPatch.Load() || t.update == updateAuto && refuses(t.provider(ctx).patch) {
		return t.put(ctx, id, c)
	}
	account, err := t.patch(ctx, id, c)
	if t.update == updateAuto && refusesPatch(err) {
		t.noPatch.Store(true)
		return t.put(ctx, id, c)
	}
	return account, err
}

// keeps refuses to remove what the dialect requires.
func (t *Target) keeps(c change) error {
	for _, a := range c.remove {
		if slices.Contains(t.dialect.required, a.name()) {
			return invalidAttribute(a.name(), "is required by a server of this dialect")
		}
	}
	return nil
}

// refusesPatch reports whether the server does not know the method at all.
func refusesPatch(err error) bool {
	a := answerOf(err)
	if a == nil {
		return false
	}
	switch a.status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest:
		detail := strings.ToLower(a.detail)
		unsupported := strings.Contains(detail, "not supported") || strings.Contains(detail, "unsupported")
		return a.scimType == "" && strings.Contains(detail, "patch") && unsupported
	}
	return false
}

// operation is one step of a PATCH (RFC 7644, 3.5.2).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// patch sends the change by path. A path that matches nothing (noTarget) is
// looked at: then the change is sent again in terms of what is there.
func (t *Target) patch(ctx context.Context, id string, c change) (sdk.Account, error) {
	if t.dialect.wholeLists && c.entries() {
		return t.patchKnown(ctx, id, c)
	}
	account, err := t.sendPatch(ctx, id, c, operations(c))
	a := answerOf(err)
	if a == nil || a.status != http.StatusBadRequest || a.scimType != "noTarget" {
		return account, err
	}
	return t.patchKnown(ctx, id, c)
}

// patchKnown reads the account and sends the change in terms of what is there.
func (t *Target) patchKnown(ctx context.Context, id string, c change) (sdk.Account, error) {
	current, err := t.read(ctx, id)
	if err != nil {
		return sdk.Account{}, err
	}
	ops := operationsOn(current, c)
	if len(ops) == 0 {
		return current.account(), nil
	}
	return t.sendPatch(ctx, id, c, ops)
}

func (t *Target) sendPatch(ctx context.Context, id string, c change, ops []operation) (sdk.Account, error) {
	re, err := t.client.do(ctx, call{method: http.MethodPatch, url: t.client.user(id), body: t.message(ops...), values: c.values()})
	if err != nil {
		return sdk.Account{}, t.goneInstead(ctx, id, err)
	}
	return t.changed(ctx, id, re), nil
}

// message is the body of a PATCH as the dialect writes it.
func (t *Target) message(ops ...operation) map[string]any {
	written := make([]operation, 0, len(ops))
	for _, op := range ops {
		value, isBool := op.Value.(bool)
		if isBool && t.dialect.textBooleans {
			op.Value = map[bool]string{true: "True", false: "False"}[value]
		}
		if isBool && t.dialect.valueObject {
			op.Path, op.Value = "", map[string]any{op.Path: op.Value}
		}
		if t.dialect.capitalOps {
			op.Op = strings.ToUpper(op.Op[:1]) + op.Op[1:]
		}
		written = append(written, op)
	}
	return map[string]any{"schemas": []string{patchSchema}, "Operations": written}
}

// changed returns the account after a successful write, from the answer or by
// reading. What cannot be read is left out; the write stands.
func (t *Target) changed(ctx context.Context, id string, re reply) sdk.Account {
	if r, err := decodeResource(re.body); err == nil && r.id() == id {
		return r.account()
	}
	if r, err := t.read(ctx, id); err == nil {
		return r.account()
	}
	return sdk.Account{ID: id}
}

// operations states the change without knowing the account.
func operations(c change) []operation {
	var ops []operation
	for _, s := range c.set {
		ops = append(ops, operation{"replace", s.entryPath(".value"), s.value})
	}
	for _, a := range c.remove {
		ops = append(ops, operation{Op: "remove", Path: a.entryPath("")})
	}
	if c.active != nil {
		ops = append(ops, operation{"replace", "active", *c.active})
	}
	return ops
}

// entryPath addresses the attribute; for an entry, sub of the one with its type.
func (a attribute) entryPath(sub string) string {
	if a.entryType == "" {
		return a.path()
	}
	return a.child + `[type eq "` + a.entryType + `"]` + sub
}

// operationsOn states the change for a known account: "add" sets single values
// whether they exist or not, lists are sent whole, and what is not there is not
// removed.
func operationsOn(current resource, c change) []operation {
	var ops []operation
	for _, s := range c.set {
		list := current.entries(s.child)
		switch {
		case s.entryType != "" && len(list) > 0:
			ops = append(ops, operation{"replace", s.child, withEntry(list, s.entryType, s.value)})
		case s.entryType != "":
			ops = append(ops, operation{"add", s.child, withEntry(nil, s.entryType, s.value)})
		default:
			ops = append(ops, operation{"add", s.path(), s.value})
		}
	}
	for _, a := range c.remove {
		if current.value(a) == "" {
			continue
		}
		after := resource{a.child: current.get(a.child)}
		if after.drop(a); a.entryType != "" && len(after.entries(a.child)) > 0 {
			ops = append(ops, operation{"replace", a.child, after.entries(a.child)})
			continue
		}
		ops = append(ops, operation{Op: "remove", Path: a.path()})
	}
	if c.active != nil {
		ops = append(ops, operation{"replace", "active", *c.active})
	}
	return ops
}

// put reads the account, changes it and writes it back whole. When somebody
// else was faster (412) it starts over once.
func (t *Target) put(ctx context.Context, id string, c change) (sdk.Account, error) {
	account, err := t.putOnce(ctx, id, c)
	if hasStatus(err, http.StatusPreconditionFailed) {
		return t.putOnce(ctx, id, c)
	}
	return account, err
}

func (t *Target) putOnce(ctx context.Context, id string, c change) (sdk.Account, error) {
	current, err := t.read(ctx, id)
	if err != nil {
		return sdk.Account{}, err
	}
	next := current.forReplace()
	next.apply(c)
	if reflect.DeepEqual(next, current.forReplace()) {
		return current.account(), nil
	}
	version := current.version()
	if version != "" && refuses(t.provider(ctx).etag) {
		version = ""
	}
	re, err := t.client.do(ctx, call{method: http.MethodPut, url: t.client.user(id), body: next, ifMatch: version, values: c.values()})
	if err != nil {
		return sdk.Account{}, t.goneInstead(ctx, id, err)
	}
	return t.changed(ctx, id, re), nil
}
