// Package sim runs Ringo's programs in a simulated world: kernels, network, disks and clock are in memory, and a seed
// decides everything that is left to chance. Programs written for ringo.Run run unchanged on its hosts. A world can
// have thousands of hosts, simulated time costs nothing while nothing happens, and the same seed produces the same
// history, event by event.
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
// # The script
//
// The function passed to Run or Explore is the script. It makes hosts and starts programs, which run while it lets time
// pass: in World.Wait, World.RunFor and World.RunUntil. The script, its events and all tasks of a world's programs run
// on one goroutine, one at a time: variables that they share need no lock.
//
// # What is virtual
//
// Loop.Now, Loop.Sleep, timers, tickers, deadlines, WithTimeout and the contexts of tasks use the world's clock. A
// deadline computed from time.Now is converted: it stays as far in the future as it was when it was made, rounded to
// tenths of a second. time.Now itself, time.Sleep and context.WithTimeout are real, as are the orders of map iteration
// and select. For reproducible histories a test must not depend on these.
//
// # What leaves the world
//
// As everywhere, a task may wait only through Ringo. Goroutines are not part of the world, unless it is played for
// Goroutines(t), see there: their calls on a loop or its handles fail, and so does the test, with the goroutine's
// stack. Loop.Offload and Loop.Compute run their function in the task. Handles can be used by all tasks on the same
// host. Descriptors can't enter or leave the world: File, Detach, Adopt, SendFiles and the like fail with
// errors.ErrUnsupported, as does opening a FIFO that would wait for the other end. A task that waits for a channel,
// lock or socket of Go's stops the world meanwhile: after ten seconds a watchdog reports the task, unless the process
// is being debugged. Shorter waits are not reported, and make the history depend on real time.
//
// # Systems
//
// Worlds need no kernel: they play on every system on amd64, arm64 and 386, and on Linux on all other architectures of
// Go, but without Goroutines. Elsewhere, in WebAssembly too, tests with worlds compile, and fail with the reason. A
// seed gives the same history on all of them. Hosts are Linux hosts everywhere: their file names have slashes, and on
// Windows a backslash counts as a slash, so that package filepath may join names. Programs see the errors of the system
// on which the test runs: errors.Is finds the same as elsewhere, but texts of errors differ, and the Sys of a FileInfo
// has the system's type, as in package os. Sums of floating-point products are rounded differently by architecture: a
// test should base decisions on integers, or put products in conversions, float64(x*y).
package sim
