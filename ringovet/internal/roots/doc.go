// Package roots knows where a program hands a function to Ringo, and what becomes of it there. A test compares the list
// with the public API, so that a new entry point is not forgotten.
package roots
