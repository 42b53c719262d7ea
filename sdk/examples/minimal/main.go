// Command minimal is a whole connector: a directory that lives in memory.
package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

type config struct{} // nothing to configure: the sdk's example shows the tags

type directory struct {
	mu       sync.Mutex
	accounts map[string]sdk.Attributes // by id, which is id- and the name
}

func open(context.Context, config) (*directory, error) {
	return &directory{accounts: map[string]sdk.Attributes{}}, nil
}

func (d *directory) Lookup(_ context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.accounts["id-"+req.Value]; ok {
		return []sdk.Account{{ID: "id-" + req.Value, Attributes: maps.Clone(a)}}, nil
	}
	return nil, nil
}

func (d *directory) Create(_ context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := "id-" + req.Attributes.String("name")
	if _, taken := d.accounts[id]; taken || id == "id-" {
		return sdk.Account{}, sdk.Conflict("the name is taken or empty")
	}
	d.accounts[id] = maps.Clone(req.Attributes)
	return sdk.Account{ID: id, Attributes: req.Attributes}, nil
}

func (d *directory) Update(_ context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.accounts[req.ID]; ok {
		maps.Copy(a, req.Set)
		maps.DeleteFunc(a, func(name string, _ any) bool { return slices.Contains(req.Clear, name) })
		return sdk.Account{ID: req.ID, Attributes: maps.Clone(a)}, nil
	}
	return sdk.Account{}, sdk.NotFound("there is no such account")
}

var name, title = sdk.Attribute{Name: "name", Required: true, CreateOnly: true, Correlate: 1}, sdk.Attribute{Name: "title"}

func main() { serve.Connector(sdk.Define("minimal", "1.0.0", open, sdk.WithAttributes(name, title))) }
