// Package source reads YAML that people write about rules, strictly.
//
// It owns what such a source may be (one document of UTF-8, neither deep nor long,
// without anchors, aliases, tags and merge keys: a reader of it must not have to look
// for what it says), unknown fields, and the line and column of whatever is wrong.
// Everything that is wrong is found at once ([Reader.Problems]).
//
// It does not own what the fields mean: package cel reads rule sets with it, package
// cases reads test cases. It does no I/O.
package source
