// Package posix has the error numbers that Ringo uses, under the same names on every system, and converts between them
// and results. A result has Linux's numbers on every system. On Linux the error numbers are those of package syscall.
// On other systems most are the system's own, and an error for something that the system lacks names the system.
package posix
