// Package web owns what people see: the templates, the style sheet, the little
// JavaScript, the texts in each language, and the headers that protect pages.
//
// It does not own what the pages are about: handlers fill plain structs. A
// second language is one more file under texts. Nothing is built, nothing comes
// from elsewhere.
package web
