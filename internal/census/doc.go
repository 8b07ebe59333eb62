// Package census counts and lists what is on the loops: tasks, handles, ops, and the counters of all loops that a
// process has had. It looks at loops through package loop's Observer and what that package has to look at; the engine
// knows nothing of it.
//
// A loop is asked on its own thread, in pieces of a turn each, see Ask. One that is held answers nobody: of it what is
// told is what its last answer was, how long its turn has lasted, and what stacks tell.
package census
