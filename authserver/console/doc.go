// Package console owns the pages at /admin, where administrators do their work: what
// they show, their forms and who may see which.
//
// It does not own what a change means: the pages make resources documents and hand
// them to package resources, as the command and the files of administrators do. It is
// an application like any other: it knows the server that people sign in at by its
// protocol only, and asks it over [Inside] instead of the network. It does not own who
// is an administrator (package admin).
package console
