// Package connectorv1 is the generated code of connector.proto, the contract
// between the host and a connector in any language. It owns nothing but that;
// package wire converts it to and from the types of package sdk.
//
// The file is compiled under its path in the module, so that no other
// connector.proto can collide with it in a program's registry.
//
// To regenerate, with protoc 3.21, protoc-gen-go v1.36.12 and protoc-gen-go-grpc
// v1.6.2 on the PATH and the well-known types below /usr/include (Debian:
// protobuf-compiler, libprotobuf-dev):
//
//	go generate ./sdk/wire/connectorv1
package connectorv1

//go:generate protoc -I ../../.. -I /usr/include --go_out=../../.. --go_opt=paths=source_relative --go-grpc_out=../../.. --go-grpc_opt=paths=source_relative sdk/wire/connectorv1/connector.proto
