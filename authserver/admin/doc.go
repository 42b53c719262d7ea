// Package admin owns administrators: which users may use the console and the API,
// and what each of them may do there.
//
// It does not own how they sign in (package op), the pages (package console) or the
// SQL (package store). Nobody is an administrator before somebody made them one.
package admin
