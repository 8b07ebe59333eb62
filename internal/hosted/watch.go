package hosted

import (
	"fmt"
	"os"
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/uring"
)

// watcher is the goroutine that Go's netpoller wakes when completions come. It has a duplicate of the ring's
// descriptor, because an os.File closes its own.
type watcher struct {
	file *os.File
	gone chan struct{}
}

// watch starts the ring's watcher.
func (r *ring) watch() error {
	if err := sys.Spare(2); err != nil { // Go's netpoller may have to be made, which without them is fatal
		return &uring.SetupError{Step: "Go's netpoller", Err: err,
			Hint: "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)"}
	}
	fd := sys.Dup(r.e.fd())
	if fd < 0 {
		return &uring.SetupError{Step: "fcntl(F_DUPFD_CLOEXEC)", Err: posix.Errno(-fd),
			Hint: "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)"}
	}
	if flags := sys.StatusFlags(fd); flags >= 0 { // package os polls only descriptors that are non-blocking
		sys.Fcntl(fd, sys.FSetfl, int(flags|sys.ONonblock))
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "io_uring"), gone: make(chan struct{})}
	if err := w.file.SetDeadline(time.Time{}); err != nil {
		w.file.Close()
		return fmt.Errorf("hosted: Go's netpoller does not take the ring: %w", err)
	}
	rc, err := w.file.SyscallConn()
	if err != nil {
		w.file.Close()
		return fmt.Errorf("hosted: %w", err)
	}
	r.watcher = w
	go func() {
		defer close(w.gone)
		// The netpoller reports changes: one that comes during look ends the next wait at once.
		err := rc.Read(func(uintptr) bool { r.look(); return false })
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closing {
			panic("hosted: the netpoller gave up a ring: " + err.Error())
		}
	}()
	return nil
}

// look reaps, and leads if that is needed. The netpoller has woken the watcher.
func (r *ring) look() {
	r.mu.Lock()
	r.stats.Wakes++
	r.mu.Unlock()
	r.reap()
	r.leadIfNeeded()
	r.yield()
}

// stop ends the watcher.
func (w *watcher) stop() {
	w.file.Close()
	<-w.gone
}
