package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/anteroom-id/anteroom/authserver/scaffold"
)

type connectorNewCommand struct {
	Name   string `arg:"" help:"The kind of system, such as acme: lower-case letters, digits and -."`
	Lang   string `help:"Language: ${enum}." enum:"go,node" default:"go"`
	Dir    string `help:"Folder to make; default: anteroom-connector-NAME." placeholder:"DIR"`
	Module string `help:"Go: path of the module; default: example.com/anteroom-connector-NAME." placeholder:"PATH"`
	SDK    string `name:"sdk" help:"Go: take the SDK from this checkout of Anteroom, not from a release." placeholder:"DIR"`
}

// Run makes the repository of a connector. It needs no configuration.
func (c connectorNewCommand) Run(r *run) error {
	o := scaffold.Options{
		Lang: scaffold.Lang(c.Lang), Name: c.Name, Dir: c.Dir, Module: c.Module, SDK: c.SDK, Version: releasedVersion(),
	}
	if o.Lang == scaffold.Go && o.SDK == "" && o.Version == "" {
		return fmt.Errorf("%w: this anteroom is no release: say with --sdk where its source is", errUsage)
	}
	dir, err := scaffold.New(o)
	if err != nil {
		return err
	}
	next := "make test && make build"
	if o.Lang == scaffold.Node {
		next = "npm ci && npm test && npm run build"
	}
	return r.print(done{Object: "connector", Name: filepath.ToSlash(dir), Result: "written"}, func(w io.Writer) {
		row(w, "wrote "+dir)
		row(w, "next: cd "+dir+" && "+next)
		row(w, "then: change the functions marked 1 to 3; its README says where")
	})
}
