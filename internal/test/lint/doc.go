// Package lint holds the rules of this module that the compiler doesn't know,
// as tests over its source: which layer may import which, who may talk to the
// kernel, where unsafe may live, what must be documented.
//
// The rules read every Go file of the module, whatever system or build tag it is
// for, and need nothing but the standard library. A module inside the module,
// such as bench, is not read. What a rule says when it is broken gives the
// reason, and where the rule can be changed.
package lint
