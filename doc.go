// Package ringo is a thread-per-core, completion-based I/O runtime.
//
// Programs look like plain blocking Go. Run makes one loop per core, a locked thread each, and
// calls a function once on every loop. What runs on a loop are tasks: coroutines that leave the
// thread to others while they wait. Underneath, what must wait is an entry in an io_uring; where
// the kernel or a container refuses io_uring, or has an old one, the same program runs on epoll.
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
// A task may wait only through Ringo. A channel, a contended mutex, time.Sleep or
// a file read in a task stops its whole loop, and two tasks of one loop that meet
// on a sync.Mutex can stop it for good. Calls that wait in other ways go through
// Loop.Offload, long computations through Loop.Compute. Mutex, Cond, Semaphore,
// WaitGroup, Chan and Select park the task where those of sync and of the language stop
// its thread; tasks of any loop and goroutines may meet in them. A task must not call
// runtime.LockOSThread and then wait: the runtime ends the process.
//
// # What ends a wait
//
// A cancel of the task, the end of a Loop.WithTimeout or WithContext that it is in, a
// handle's deadline, and a context where a call takes one, as Mutex.LockContext. errors.Is
// finds context.Canceled, os.ErrDeadlineExceeded, and the cause of a context. What has
// come by then is not lost: such a call succeeds, and the next one is told. Mutex.Lock,
// Cond.Wait, WaitGroup.Wait and Task.Wait, which can't say that they failed, end by what
// they wait for and nothing else.
//
// # Who may call
//
// In the documentation of this module, "a task" means a task of the loop in
// question, and an iterator that such a task runs; "any goroutine" includes tasks.
// Other callers get ErrNotTask, or a panic where no error can be returned; once the
// loop has ended it is ErrEnded, and of a connection or listener net.ErrClosed too.
//
// # Ending
//
// When Run's context ends, the program drains: nobody can connect any more, and those who
// had are served, also those whom nobody has accepted yet. Connections of sock.Serve that
// rest between two requests are closed at once, and those without a first one 5 seconds
// later; the others have Config.Grace to come to their end, then all tasks are cancelled,
// and who is not accepted by then is turned away. A task's own
// context (Loop.Context) is done when the task is cancelled, not when the drain
// begins. A cancelled task's waits fail with context.Canceled; Close, Task.Wait
// and deferred clean-up still work.
//
// Who learns of the drain, and how: tasks that accept, by net.ErrClosed when nobody is left
// to be accepted; handlers of sock.Serve need not; a task in Read, by ErrDraining, if it has
// said that its connection is idle (sock.Conn.SetIdle); a task that waits for something else,
// by Loop.Draining, a Chan, in a Select; any other, by Loop.OnDrain, which starts a task at
// that moment. Run's ctx.Err() is not nil once the drain has begun, but a task must not wait
// for <-ctx.Done(), which is a channel and stops the loop.
package ringo
