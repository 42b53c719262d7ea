// Package form owns the forms of the console: it draws a document as inputs and makes
// what was sent a document again. Inputs are named by the paths of the document, such
// as outbound_provisioning[0].timeout, which are the paths that its problems have, too:
// a problem finds its input by itself.
//
// It does not own what a document means (packages resources and application) or how
// an input looks (the templates of package console).
package form
