// Package page makes a page from a record: one file of HTML that needs no script, no font and no network, for narrow
// and wide screens, light and dark. Charts are SVG whose coordinates are shares of the width, so that text keeps its
// size.
package page
