// Package scaffold makes the repository of a new connector: it copies an example
// of package sdk/examples under another name.
//
// It owns names, paths and what differs between the example and the copy. It
// does not own what is copied, which is built and tested where it is. The
// starting point is [New].
package scaffold
