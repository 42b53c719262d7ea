// Package tcpproxy is a TCP splice for tests that misbehaves as scripted and
// counts what passes. It is to protocols of their own (LDAP, SQL) what package
// faultproxy is to HTTP.
//
// A proxy stands between a client and a real server. It knows no protocol: a
// request is what a client sends on a connection from its first byte after the
// server last answered, so it is exact for clients that wait for each answer.
// [Proxy.Script] lists what happens to the next matching requests, one fault
// each; [Proxy.Count] tells how many came. Behind TLS only the number of
// requests is known, and the handshake's messages count as requests.
package tcpproxy
