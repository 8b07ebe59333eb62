// Package places decides how many loops a Run has, and on which processors. A Machine describes the processors that the
// process may use, and a Plan is what a policy derives from a Machine. The package learns everything from files, so
// that tests can give it the trees of other machines.
package places
