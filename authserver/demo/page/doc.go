// Package page owns the look of the demo's own pages: one layout and one style
// sheet, readable by day, by night and on a phone. It owns no content and is not
// used by the server's pages.
package page
