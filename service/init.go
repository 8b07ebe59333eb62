package service

import (
	"os"
	"strconv"
)

// Init is for programs that may be process 1 of a container: call it first in main. In process 1, it starts the program
// once more, as a child, and does not return: it waits for every process that ends in the container, passes signals on
// to the child, and ends when the child does, with its exit code, or 128 plus the signal's number. In the child, and
// everywhere else, Init returns nil at once. An error says why there is no child; the program is then still process 1.
//
// So the program need not wait for descendants that have lost their parent, which the kernel gives to process 1, and
// Init reaps no child that package os/exec waits for. A program does not need Init to get signals: process 1, too, gets
// those that it listens for. Nor does it need Init for children that it waits for itself. The price is a second
// process.
//
// Init passes all signals on except those that a process causes itself, such as SIGSEGV, and SIGCHLD, SIGPIPE, SIGURG,
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
		return nil // inherited from a process that passed the variable on
	}
	inited = true
	for _, name := range []string{"LISTEN_PID", "WATCHDOG_PID"} {
		if os.Getenv(name) == "1" {
			os.Setenv(name, strconv.Itoa(os.Getpid()))
		}
	}
	return nil
}

// initVariable is set in the environment of the child that Init starts.
const initVariable = "RINGO_INIT"

// inited is set in the child that Init has started.
var inited bool

// EndsContainer reports whether everything else in the container ends with this process: whether it is process 1, or
// the child of a process 1 that is in Init. Any goroutine may call it; it does not park.
func EndsContainer() bool { return inited || os.Getpid() == 1 }
