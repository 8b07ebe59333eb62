// Package patience is how tests wait for what must come: as long as the process gets anywhere.
//
// A busy machine may stand still for seconds, so no test fails because some time has passed. A wait of this package
// ends a test only if the process as a whole has made no headway while it used 120 s of its own processor time, or for
// ten minutes; headway is that any wait of this package has begun or ended. What then gives up shows all stacks.
//
// What a program does in time is tested in a simulated world, where time is virtual.
package patience
