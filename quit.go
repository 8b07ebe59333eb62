package ringo

// TasksOnQuit has the program print its tasks to stderr when it is sent SIGQUIT, before the runtime prints its
// goroutines and ends the program, as ever: of each loop what its tasks run and wait for, those that are alike in one
// line, 20 lines at most. The environment variable RINGO_DEBUG with quit=1 does so in every Run.
//
// It is for programs that do nothing about SIGQUIT themselves: os/signal can't tell whether others listen, and those
// who do would hear of the signal twice. stop takes it back. Where there is no SIGQUIT it does nothing. Any goroutine
// may call it; it does not wait.
func TasksOnQuit() (stop func()) { return watchQuit() }
