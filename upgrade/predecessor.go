package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/posix"
)

// variable is the environment variable that makes a process a successor. PID:FIRST:N says that process PID has passed
// on N descriptors, from number FIRST on. The last is the stream between the two processes.
const variable = "RINGO_UPGRADE"

// predecessor is the process that has started this one, and what it has passed on.
type predecessor struct {
	pid   int
	wire  *net.UnixConn
	conns *ringo.Chan[frame] // connections that it passes on

	withdraws bool // it understands wordWithdraw

	mu    sync.Mutex
	names []name
	files []*os.File // nil: taken
	ready bool       // it was told that this process is ready
	waits int        // calls of AcceptConn that wait
	asked int        // places whose connections have not come, and that were not given back
	came  int        // connections that have come, and that no call has returned yet
}

// inherit returns the predecessor that the environment names, or nil if there is none.
func inherit() (*predecessor, error) {
	said, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(variable)
	var pid, first, n int
	_, err := fmt.Sscanf(said, "%d:%d:%d", &pid, &first, &n)
	switch {
	case err != nil || first < firstExtra || n < 1 || n > filesMax:
		return nil, fmt.Errorf("%s is %q, which no program of this package says", variable, said)
	case os.Getppid() != pid && lives(pid):
		return nil, fmt.Errorf("%s is of process %d, and the parent is %d: what starts the program has to replace "+
			"itself by it (exec)", variable, pid, os.Getppid())
	}
	var files []*os.File
	for fd := first; fd < first+n; fd++ {
		if res := kernel.Inherit(int32(fd)); res < 0 {
			closeAll(files)
			return nil, fmt.Errorf("%s is %q, and descriptor %d was not passed: %w", variable, said, fd, posix.Of(res))
		}
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprint("inherited descriptor ", fd)))
	}
	p := &predecessor{pid: pid, files: files[:n-1], conns: ringo.NewChan[frame](placesMax)}
	if p.wire, err = wireOf(files[n-1]); err != nil {
		closeAll(p.files)
		return nil, err
	}
	if err := p.readNames(); err != nil {
		p.wire.Close()
		closeAll(p.files)
		return nil, err
	}
	return p, nil
}

// lives reports whether there is a process with this number. A predecessor that has ended is no longer the parent, but
// everything that it has passed on is here.
func lives(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return p.Signal(kernel.NoSignal) == nil
}

// readNames reads the first frame: the names of the files, and the words that the predecessor understands.
func (p *predecessor) readNames() error {
	var f frame
	err := f.receive(p.wire, namesMax)
	if err == io.EOF {
		return errors.New("the predecessor has ended, or given this process up")
	}
	if err == nil {
		p.withdraws = bytes.IndexByte(f.unread, wordWithdraw) >= 0
		err = json.Unmarshal(f.note, &p.names)
	}
	if err == nil && len(p.names) != len(p.files) {
		err = fmt.Errorf("%d names of %d files", len(p.names), len(p.files))
	}
	return err
}

// receive reads frames, mostly connections, until the predecessor ends.
func (p *predecessor) receive(log *slog.Logger) {
	defer p.conns.Close()
	defer p.wire.Close()
	for {
		var f frame
		err := f.receive(p.wire, noteMax)
		switch {
		case err == errNoFile:
			log.Warn("upgrade: a connection that was passed on is lost", "error", err)
			p.gotBack(1)
			continue
		case err == nil && f.file == nil:
			p.gotBack(len(f.note))
			continue
		}
		p.mu.Lock()
		p.asked--
		p.came++
		p.mu.Unlock()
		if err != nil || p.conns.Send(f) != nil {
			f.close()
			return
		}
	}
}

// gotBack notes that the predecessor has given places back, and asks again for the calls that still wait.
func (p *predecessor) gotBack(places int) {
	p.mu.Lock()
	p.asked -= places
	p.mu.Unlock()
	p.ask()
}

// accept waits for a connection, and asks the predecessor for one. If the wait ends without a connection, and more are
// asked for than calls wait, accept withdraws all that was asked for; gotBack asks anew for the calls that still wait.
func (p *predecessor) accept(ctx context.Context) (frame, error) {
	p.mu.Lock()
	p.waits++
	p.mu.Unlock()
	p.ask()
	f, err := p.conns.RecvContext(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits--
	if err == nil {
		p.came--
	} else if p.withdraws && p.asked > 0 && p.asked+p.came > min(p.waits, placesMax) {
		p.wire.Write([]byte{wordWithdraw})
	}
	return f, err
}

// ask asks the predecessor for as many connections as calls wait for, less those that it was asked for already and
// those that are here.
func (p *predecessor) ask() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ready && p.asked+p.came < min(p.waits, placesMax) {
		p.asked++
		p.wire.Write([]byte{wordPlace}) // if the predecessor has ended, receive finds out
	}
}

// take returns the first file of a name that was not taken, or nil.
func (p *predecessor) take(which string) *os.File {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.files {
		if f != nil && p.names[i] == name(which) {
			p.files[i] = nil
			return f
		}
	}
	return nil
}

// dropRest closes the files that were not taken.
func (p *predecessor) dropRest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.files {
		if f != nil {
			f.Close()
			p.files[i] = nil
		}
	}
}

// tellReady tells the predecessor that this process takes over. If the predecessor has ended, this process takes over
// all the same; if it has given this process up, it has closed the stream, and is killing this process now.
func (p *predecessor) tellReady() {
	p.wire.Write([]byte{wordReady})
	p.mu.Lock()
	p.ready = true
	p.mu.Unlock()
	p.dropRest()
	p.ask()
}

// endConns stops connections from the predecessor: receive gets those that have arrived, and then the stream's end.
func (p *predecessor) endConns() { p.wire.CloseRead() }

// close closes the stream, the files that were not taken, and the connections that no call has returned.
func (p *predecessor) close() {
	p.dropRest()
	p.wire.Close()
	p.conns.Close()
	for {
		f, ok := p.conns.TryRecv()
		if !ok {
			return
		}
		f.close()
	}
}
