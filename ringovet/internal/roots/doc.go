// Package roots lists the places where a program passes a function to Ringo, and where the function runs. A test
// compares the list with the public API, so that no entry point is missing.
package roots
