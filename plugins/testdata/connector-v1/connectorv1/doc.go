// Package connectorv1 is the generated code of the protocol as it was first
// released, kept as it is: see the program above it.
package connectorv1
