package service

import (
	"os"
	"strconv"
)

// Init is for a program that may be process 1 of a container: call it first in main. There, it starts the program once
// more, as a child, and does not return: as process 1 it waits for whatever ends in the container, passes signals on to
// the child, and ends when the child does, with its exit code, or 128 plus the signal's number. In the child, and
// everywhere else, it returns nil at once. An error says why there is no child; the program is then still process 1.
//
// So the program need not wait for descendants that have lost their parent, which the kernel leaves to process 1, and
// no children of package os/exec are taken from it. A program needs no Init for signals, which it gets as process 1,
// too, if it listens for them, nor for children that it waits for itself. The price is a second process.
//
// All signals are passed on except those that a process causes itself, such as SIGSEGV, and SIGCHLD, SIGPIPE, SIGURG,
// SIGTTIN and SIGTTOU. The child has a process group of its own, and the terminal if there is one. What a manager has
// passed to process 1, such as sockets (sock.Activated) and the watchdog, is the child's. When the child ends,
// everything in the container does. On systems other than Linux, Init starts no child.
func Init() error {
	if os.Getpid() == 1 {
		return runInit()
	}
	if _, ok := os.LookupEnv(initVariable); !ok {
		return nil
	}
	os.Unsetenv(initVariable)
	if os.Getppid() != 1 {
		return nil // of somebody who has passed the variable on
	}
	inited = true
	for _, name := range []string{"LISTEN_PID", "WATCHDOG_PID"} {
		if os.Getenv(name) == "1" {
			os.Setenv(name, strconv.Itoa(os.Getpid()))
		}
	}
	return nil
}

// initVariable is in the environment of the child that Init has started.
const initVariable = "RINGO_INIT"

// inited says that this process is that.
var inited bool

// EndsContainer reports whether everything else in the container ends with this process: whether it is process 1, or
// the child of a process 1 that is in Init. Any goroutine may call it; it does not park.
func EndsContainer() bool { return inited || os.Getpid() == 1 }
