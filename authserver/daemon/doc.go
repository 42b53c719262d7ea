// Package daemon is the composition root: it opens the database, makes every
// part and joins the ones that must not know each other (provisioning and
// plugins, fosite and the flow). The command, the demo and the end-to-end tests
// start the same System.
//
// It owns no decisions: what a part does is in its own package.
package daemon
