// Package examples holds connectors that are meant to be copied: acme in Go and
// in Node, against a REST API that exists nowhere but in their fake folders.
//
// It owns them as files, for anteroom connector new, which copies one under
// another name. What is copied is therefore what is built and tested here.
// Package minimal beside them is the least that a connector can be.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed node/*.mjs node/package.json node/package-lock.json node/.gitignore node/README.md node/anteroom/*.mjs node/fake
var node embed.FS

// Node returns the connector in Node without anteroom/connector.proto, which is
// the protocol's own file.
func Node() fs.FS { return within(node, "node") }

func within(all embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(all, dir)
	if err != nil {
		panic(err) // only for a name that is no path
	}
	return sub
}

//go:embed acme/*.go acme/Makefile acme/README.md acme/.gitignore acme/fake acme/cmd
var golang embed.FS

// Go returns the connector in Go without its go.mod: it is part of this module.
func Go() fs.FS { return within(golang, "acme") }
