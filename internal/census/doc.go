// Package census counts and lists what is on the loops: tasks, handles, ops, and the counters of all loops that a
// process has had. It looks at loops through package loop's Observer and Look; the engine does not know of it.
//
// A loop is asked on its own thread, a piece each turn, see ask. A loop that is held does not answer: what is known
// then is its last answer, how long its turn has lasted, and what stacks show.
package census
