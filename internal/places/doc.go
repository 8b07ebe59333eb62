// Package places decides how many loops a Run has and on which processors: a Machine is what the kernel says of the
// processors that a process may use, and a Plan is what a policy makes of it. It reads files and asks nothing else, so
// that tests give it the trees of other machines.
package places
