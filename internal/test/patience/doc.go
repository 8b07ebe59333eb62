// Package patience is how tests wait for something that must come: for as long as the process makes headway.
//
// A busy machine may stand still for seconds, so no test fails merely because time has passed. A wait of this package
// fails only if the whole process has made no headway for ten minutes, or while it used 120 s of its own processor
// time. Headway is that any wait of this package begins or ends. A wait that gives up shows the stacks of all
// goroutines.
//
// How long a program takes to do something is tested in simulated worlds, where time is virtual.
package patience
