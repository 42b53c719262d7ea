// Package peers starts foreign programs for tests: SCIM servers, a relying party
// and a client of Salesforce that run on Node and were not written by this
// project.
//
// Their scripts and pinned dependencies are beside this file; "npm ci" in this
// folder installs them. Without Node or the dependencies a test that needs a
// peer is skipped, or fails when CI=true.
package peers
