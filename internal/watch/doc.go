// Package watch finds what keeps loops from running: stalls, which are turns that last too long; holds, which are the
// tasks and places that long turns are charged to; callbacks that park; circles of locks; and more loops than
// processors. It looks at loops from outside, through package loop's Observer and the records of package census, and
// reports by Config.OnStall, the Logger or Complain. The engine does not know of it.
package watch
