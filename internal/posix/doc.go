// Package posix has the error numbers that the tree is written with, under one name on
// every system. On Linux, where all of it runs, they are those of package syscall.
// Elsewhere they let the tree compile, and a result that is an error says which system
// it is that can't do the thing.
package posix
