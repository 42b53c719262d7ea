// Package peers starts foreign programs for tests: SCIM servers, relying parties, an
// OpenID provider and a client of Salesforce that run on Node and are on libraries
// that were not written by this project.
//
// Their scripts and pinned dependencies are beside this file; "npm ci" in this
// folder installs them. Without Node or the dependencies a test that needs a
// peer is skipped, or fails when CI=true.
package peers
