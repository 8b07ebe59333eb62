// Package stats has the types of a loop's counters and lists: plain data, which the methods of ringo.Loop return.
//
//	s := l.Stats()
//	log.Printf("%d tasks; 99 %% of the turns took less than %v", s.Tasks, s.TurnTimes.Quantile(0.99))
//
// [Loop], with its [Driver], [Op], [Pool], [HandleKind] and [Lane], has the counters of Loop.Stats. [Info] says which
// driver the loop has and why (Loop.Info), [Task] and [Handle] are entries of Loop.Tasks and Loop.Handles, and a [Hold]
// is a place in the program that has held the loop (Loop.Holds). Callers must not modify the elements of slices in
// these types; nothing else changes them. Package metrics exports the counters to monitoring systems, and package debug
// shows everything in a browser.
package stats
