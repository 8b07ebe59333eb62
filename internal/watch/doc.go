// Package watch finds what keeps loops from running: stalls, which are turns that last too long, holds, which are what
// short ones are charged to, callbacks that park, circles of locks, and more loops than processors. It looks at loops
// from outside, through package loop's Observer and what package census keeps, and says what it finds by
// Config.OnStall, the Logger or Complain; the engine knows nothing of it.
package watch
