// Package target is a fake downstream system: a tiny REST API for users, kept in
// memory, for the tests of a connector before there is a test tenant.
//
//	POST   /users             {"name": "ada", ...}  201 with an "id"; 409 when the name is taken
//	GET    /users?name=ada    {"users": [...]}; any other attribute works as well as name
//	GET    /users?after=ID&limit=N                   pages, in the order of ids; "next" is the ID to go on after
//	GET    /users/{id}        404 when it is gone
//	PATCH  /users/{id}        sets what is named; null removes
//	DELETE /users/{id}        204; 404 when it is gone
//	PUT    /users/{id}/groups ["staff", ...]         422 for a group that is not there
//
// Every request needs "Authorization: Bearer TOKEN". A user is a flat JSON object
// with a unique name and, like any system's, its own opinion of what is active.
//
// How it misbehaves is not its business: package faultproxy stands before it.
// The starting point is [New].
package target
