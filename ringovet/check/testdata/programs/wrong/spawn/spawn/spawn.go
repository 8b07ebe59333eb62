// Package spawn starts tasks that are counted.
package spawn

import "ringo"

// Running is how many run.
var Running int

// Go starts one.
func Go(l *ringo.Loop, fn func()) {
	run(l, func() {
		Running++
		defer func() { Running-- }()
		fn()
	})
}

func run(l *ringo.Loop, fn func()) { l.Go(fn) }
