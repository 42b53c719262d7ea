// Package faultpoint names the places of a server at which a test can kill or
// stop its process: before and after every commit and every call of a
// connector.
//
// It owns the names, the wrappers that sit around what the engine and the
// sign-in use, and what happens at a point. It does not own the tests. Only a
// binary that was built with the tag "faultpoints" has the wrappers; in every
// other build [New] returns nil and the methods return what they are given, so
// there is nothing to switch on.
package faultpoint
