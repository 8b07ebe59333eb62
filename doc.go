// Package ringo is a thread-per-core, completion-based I/O runtime.
//
// Programs look like plain blocking Go. Run makes one loop per core, a locked thread each, and calls a function once on
// every loop. Loops run tasks: coroutines that give up the thread while they wait. An operation that has to wait
// becomes an io_uring entry; where io_uring is blocked or too old, the same program runs on epoll.
//
//	err := ringo.Run(ctx, nil, func(l *ringo.Loop) error {
//		ln, err := sock.Listen(l, "tcp", ":7000")
//		if err != nil {
//			return err
//		}
//		for {
//			c, err := ln.Accept()
//			if err != nil {
//				return err
//			}
//			l.Go(func() { defer c.Close(); io.Copy(c, c) })
//		}
//	})
//
// # The one rule
//
// A task may wait only through Ringo. A channel, a contended mutex, time.Sleep or a file read in a task stops its whole
// loop, and two tasks of one loop that meet on a sync.Mutex can stop it for good. Make calls that block in other ways
// through Loop.Offload, and long computations through Loop.Compute. Mutex, RWMutex, Once, Cond, Semaphore, WaitGroup,
// Chan and Select park the task where their counterparts in sync and in the language would block its thread; tasks of
// any loop and goroutines can share them, as they can a Broadcast, a Watch and a Barrier. A task that has called
// runtime.LockOSThread must call UnlockOSThread before it waits or returns, and not once more than that: otherwise the
// runtime ends the process.
//
// # What ends a wait
//
// A wait ends early when the task is cancelled, when an enclosing Loop.WithTimeout or WithContext ends, at the handle's
// deadline, and when the context passed to a call such as Mutex.LockContext ends. The error matches context.Canceled,
// os.ErrDeadlineExceeded or the context's cause (errors.Is). No data is lost: a call whose result has already arrived
// succeeds, and the next one fails. Nothing ends Mutex.Lock, Cond.Wait, WaitGroup.Wait and Task.Wait early.
//
// # Callers
//
// In the documentation of this module, "a task" means a task of the loop in question, or an iterator that such a task
// runs; "any goroutine" includes tasks. Calls that only a task may make fail for other callers: methods of Loop, Group,
// Timer and Ticker panic, and functions of other packages that take a Loop return ErrNotTask. Once the loop has ended,
// calls that any goroutine may make fail with ErrEnded, which for connections and listeners also matches net.ErrClosed.
//
// # Ending
//
// Run returns when its function has returned on all loops and all tasks have ended, including tasks that other callers
// started on a loop until then. A loop that has nothing else to do, but is sent new tasks again and again, runs the
// tasks that it has accepted and refuses further ones with ErrEnded, unless their senders are its own tasks.
//
// When Run's context ends, the program drains. New peers can't connect; peers that have connected are served, even if
// their connections had not been accepted yet. Connections of sock.Serve are closed at once if they are idle between
// two requests. One whose first request has not come is closed after 5 seconds, or half of Config.Grace if that is
// less. All others have Config.Grace to finish; then all tasks are cancelled, and connections not accepted by then are
// closed. A task's own context (Loop.Context) is done when the task is cancelled, not when the drain begins. A
// cancelled task's waits fail with context.Canceled; Close, Task.Wait and deferred clean-up still work.
//
// Programs can notice the drain in several ways. Accept returns net.ErrClosed once no connection is left to accept.
// Handlers of sock.Serve need not notice. Read returns ErrDraining if the connection was marked idle
// (sock.Conn.SetIdle). A task that waits for something else can include Loop.Draining in a Select. For everything else,
// Loop.OnDrain starts a task when the drain begins. The Err of Run's context is not nil from then on, but a task must
// not wait for <-ctx.Done(): that is a channel, and stops the loop.
package ringo
