// Package sim runs Ringo's programs in a simulated world: kernels, network, disks and clock are in memory, and a seed
// decides all that could go either way. What is given to ringo.Run runs unchanged on a host of it, thousands of hosts
// fit into a world, a simulated hour takes as long as what happens in it, and the same seed gives the same history,
// event by event.
//
//	func TestStore(t *testing.T) {
//		sim.Explore(t, 1000, func(w *sim.World) {
//			server, client := w.Host("server"), w.Host("client")
//			w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.01}
//			server.Run(nil, serve)
//			c := client.Run(nil, func(l *ringo.Loop) error { return use(l, "server:7000") })
//			w.After(10*time.Second, func() { server.Crash(); server.Restart() })
//			w.Wait(c)
//		})
//	}
//
// # Who runs
//
// The function that is given to Run or Explore is the script. It makes hosts and starts programs, which run when it
// lets time pass: in World.Wait, World.RunFor and World.RunUntil. All that belongs to a world, the script, its events
// and all tasks of its programs, happens on one goroutine, one thing at a time: a variable that they share needs no
// lock.
//
// # What is virtual
//
// Loop.Now, Loop.Sleep, timers, tickers, deadlines, WithTimeout and the contexts of tasks are by the world's clock. So
// is a deadline that is given as a time of time.Now: it is as far from now as it was when it was made, in tenths of a
// second. time.Now itself, time.Sleep and context.WithTimeout are Go's, and real; so are the order of maps and of
// select. A test that needs a seed to give the same history does not let them decide anything.
//
// # What leaves the world
//
// A task may wait only through Ringo, as everywhere. What a goroutine does is not the world's: a call of one on a loop
// or on what is open there fails with an error, and so does the test, with its stack. Loop.Offload and Loop.Compute run
// their function in the task. What is open is for the tasks of all loops of its host. Descriptors go neither in nor
// out: File, Detach, Adopt, SendFiles and their like fail with errors.ErrUnsupported, as does an open of a FIFO that
// would wait for the other end. A task that waits for a channel, a lock or a socket of Go's stops the world meanwhile:
// a watchdog says which one it is after ten seconds, if no debugger is at the process. What waits for less than that is
// not told, and what it gets may differ from one time to the next.
package sim
