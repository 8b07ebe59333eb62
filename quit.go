package ringo

// TasksOnQuit makes the program print its tasks to stderr on SIGQUIT, before the runtime prints the goroutines and ends
// the program as usual: for each loop what its tasks run and wait for, like tasks on one line, at most 20 lines.
// RINGO_DEBUG=quit=1 in the environment does the same in every Run.
//
// It is for programs that do not handle SIGQUIT themselves: os/signal can't tell whether others listen, and they would
// receive the signal twice. stop undoes it. On systems without SIGQUIT it does nothing. Any goroutine may call it; it
// does not wait.
func TasksOnQuit() (stop func()) { return watchQuit() }
