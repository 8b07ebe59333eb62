// Package linux has numbers of Linux's that tests speak of: results are Linux's on every system, and so are the numbers
// that package sys takes. Their names are those of package unix of golang.org/x/sys, which has each system's own.
package linux
