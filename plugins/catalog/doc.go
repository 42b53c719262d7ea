// Package catalog is a folder of connectors: what lies in it, what a connector's
// package must hold, and how one gets there.
//
// It owns the manifest ([Manifest], connector.json), reading and checking a
// package from a folder, .tar.gz or .zip, the content-addressed store beneath
// the folder ([Folder.Install]), the choice of the file that is executed
// ([Folder.Open]), what differs between two versions ([Compare]) and the lock
// file ([Lock]). It does not own what an admin has approved, and it executes
// nothing: that is package plugins.
//
// A connector is in the folder in one of two forms: as a plain file
// anteroom-connector-NAME, which an admin put there, or installed, as
// sha256/DD/DIGEST/ with its manifest beside it. Several versions of a name may be
// installed; none of them is executed before its digest is approved.
package catalog
