// Package sdktest is the conformance kit for connectors written in Go: [Run]
// tests one in this process and as a child process, each check a subtest.
//
//	func TestMain(m *testing.M) { sdktest.Main(m, acme.Connector()) }
//
//	func TestConformance(t *testing.T) {
//		sdktest.Run(t, sdktest.Options{
//			Connector: acme.Connector(),
//			Config:    map[string]any{"token": "a-token-for-tests"},
//			URLField:  "base_url",
//			Target:    target.New("a-token-for-tests"),
//		})
//	}
//
// The checks are those of package conformance, which anteroom connector test
// runs on a binary of any language; docs/connector-conformance.md lists them.
// Package target is a fake to begin with, package faultproxy what makes it fail.
package sdktest
