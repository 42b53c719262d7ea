// Package reference writes the reference page of a connector from what the
// connector says of itself, so that page and program cannot disagree.
//
// It owns the page's form and nothing else. The starting point is [Markdown].
package reference
