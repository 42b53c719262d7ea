// Package fake is a Google Workspace to test against: the part of the Admin SDK
// Directory API that the connector uses, and the token endpoints before it. Every
// request and every answer is checked against the discovery documents that
// Google ships in its own Go module: an unknown method, path, parameter or
// property, a value of the wrong type, a missing or read-only property is a
// [Options.Violation].
//
// It owns accounts, groups, custom schemas, tokens, and answers that a test
// scripts. It does not own Google's behaviour in time (what was written is there
// at once, unless scripted), nor its wording beyond what is known from public
// reports: error bodies are not in the discovery documents.
package fake
