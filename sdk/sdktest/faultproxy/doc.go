// Package faultproxy is a reverse proxy for tests that misbehaves as scripted
// and counts what passes.
//
// A proxy stands between a connector and a real server. Requests pass unless a
// script says otherwise: [Proxy.Script] lists what happens to the next matching
// requests, one fault each. [Proxy.Count] tells how often a method and path were
// requested, so that a test can assert "exactly one POST /Users".
//
// It knows nothing of SCIM or any other protocol above HTTP.
package faultproxy
