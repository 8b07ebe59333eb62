package sock

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Activated returns the sockets that the program was started with by socket activation, in their order: systemd (see
// sd_listen_fds(3)) and others pass them from descriptor 3 on, and name them by LISTEN_FDS, LISTEN_FDNAMES and
// LISTEN_PID. The Name of each file is its name there (FileDescriptorName= in systemd.socket(5)), which several may
// share, or "LISTEN_FD_3" and so on. Without activation, or if the variables are for another process, the result is
// empty.
//
// Their types depend on the configuration of the activation: pass a socket to Adopt, or a listening one to AdoptSet;
// use anything else as a file. systemd passes sockets in blocking mode, in which Ringo can't use them: Activated puts
// them into non-blocking mode, which NonBlocking=yes in systemd.service(5) does as well, and leaves other files as they
// are. systemd accepts no connections while the program runs, so set AdoptConfig.Exclusive if no other process of the
// service uses the socket: then the loop of a listener accepts ahead.
//
// Activated unsets the variables and makes the descriptors close-on-exec, so that child processes don't use them. So
// only the first call returns sockets, and its caller has to close them. An error says what is wrong with the
// variables, as when fewer descriptors were passed than they say; then no file is returned. Any goroutine may call it,
// early in the program.
func Activated() ([]*os.File, error) {
	if err := loop.Home().World().Passage(); err != nil {
		return nil, fmt.Errorf("sock: activation: %w", err)
	}
	activation.Lock()
	defer activation.Unlock()
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) || count == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > activatedMax {
		return nil, fmt.Errorf("sock: activation: LISTEN_FDS is %q: want a number, %d at most", count, activatedMax)
	}
	if !sys.HaveNetpoll {
		return nil, fmt.Errorf("sock: activation: LISTEN_FDS: %w", posix.ErrSystem)
	}
	named := strings.Split(names, ":")
	if names == "" {
		named = nil
	} else if len(named) != n {
		return nil, fmt.Errorf("sock: activation: LISTEN_FDNAMES is %q: want %d names", names, n)
	}
	for i := range n {
		if err := called("fcntl", inherit(int32(activatedFirst+i))); err != nil {
			return nil, fmt.Errorf("sock: activation: descriptor %d of LISTEN_FDS=%d was not passed, or another "+
				"package has taken it: %w", activatedFirst+i, n, err)
		}
	}
	files := make([]*os.File, n)
	for i := range files {
		name := fmt.Sprint("LISTEN_FD_", activatedFirst+i)
		if named != nil {
			name = named[i]
		}
		files[i] = os.NewFile(uintptr(activatedFirst+i), name)
	}
	return files, nil
}

// inherit makes a descriptor close-on-exec, and puts it into non-blocking mode if it is a socket.
func inherit(fd int32) int32 {
	k := kernel.Host{}
	if res := kernel.Inherit(fd); res < 0 {
		return res
	}
	if _, res := k.Getsockopt(fd, solSocket, sys.SoType); res < 0 {
		return 0
	}
	flags := k.Getfl(fd)
	if flags < 0 {
		return flags
	}
	return k.Setfl(fd, flags|sys.ONonblock)
}

// activation lets one of several concurrent callers of Activated go first.
var activation sync.Mutex

const (
	activatedFirst = 3
	// activatedMax bounds what a wrong variable can do. It is RLIMIT_NOFILE's usual hard limit.
	activatedMax = 524288
)
