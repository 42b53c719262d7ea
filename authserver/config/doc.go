// Package config owns the server's configuration: one YAML file whose every key
// is also an environment variable. It does not own resources (targets,
// applications, users): those live in the database, see package resources.
//
// Loading is strict: an unknown key is a problem, and every problem is reported
// at once with its path. Only packages cli, daemon and demo see a Config.
package config
