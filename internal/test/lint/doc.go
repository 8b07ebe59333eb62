// Package lint holds the rules of this module that the compiler doesn't know, as tests of its source: which layer may
// import which, what may call the kernel, where unsafe may be, what must be documented.
//
// The rules read every Go file of the module, whatever system or build tag it is for, and need only the standard
// library. They do not read modules inside the module, such as bench. The message of a broken rule gives the reason,
// and the place where the rule can be changed.
package lint
