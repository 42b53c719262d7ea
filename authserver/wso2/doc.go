// Package wso2 reads the outbound provisioning of an identity provider as WSO2
// Identity Server exports it, with the provisioning policies that go with it, and
// writes the targets and rule sets of a resources file.
//
// It owns the reading of both forms of the file (JSON of the REST API and of
// exports, XML of exports and of the SOAP API), the table of what becomes of each
// key, what a policy says of itself and which of its words change, and the report.
// It does not own what a policy means (package xacml) or what targets are, nor does
// it apply anything: an admin reads the result first.
//
// Nothing is dropped in silence: every key is carried over, not needed with the
// reason, or left to the admin to decide. Secrets are never written: a target
// refers to an environment variable instead. Values of keys that are not known
// are not shown, since they may be secrets.
//
// The starting point is [Import].
package wso2
