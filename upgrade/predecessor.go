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

// variable is the environment variable by which a successor knows that it is one: PID:FIRST:N says that process PID
// has passed on N descriptors from FIRST on, of which the last is the stream between the two.
const variable = "RINGO_UPGRADE"

// predecessor is the process that has started this one.
type predecessor struct {
	pid   int
	wire  *net.UnixConn
	conns *ringo.Chan[frame] // that it passes on

	withdraws bool // it knows wordWithdraw

	mu    sync.Mutex
	names []name
	files []*os.File // nil: taken
	ready bool       // it was told
	waits int        // calls of AcceptConn
	asked int        // connections that were asked for, have not come, and whose places were not given back
	came  int        // that have come, for the next calls to return
}

// inherit is what the environment says of a predecessor; nil: there is none.
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
		if res := (kernel.Host{}).SetCloexec(int32(fd)); res < 0 {
			closeAll(files)
			return nil, fmt.Errorf("%s is %q, and descriptor %d: %w", variable, said, fd, posix.Of(res))
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

// lives reports whether there is a process. A predecessor that has ended has left all that it had.
func lives(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return p.Signal(kernel.NoSignal) == nil
}

// readNames gets the names of the files.
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

// receive takes in connections until the predecessor ends.
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

// gotBack notes places for which nothing comes, and asks for what is waited for yet.
func (p *predecessor) gotBack(places int) {
	p.mu.Lock()
	p.asked -= places
	p.mu.Unlock()
	p.ask()
}

// accept waits for a connection, and has the predecessor know that it does.
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

// ask asks for as many connections as are waited for, but for those that were asked for, or are here.
func (p *predecessor) ask() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ready && p.asked+p.came < min(p.waits, placesMax) {
		p.asked++
		p.wire.Write([]byte{wordPlace}) // if it has ended, receive finds that
	}
}

// take takes the first file of a name.
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

// dropRest closes what nobody has taken.
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

// tellReady says that this process has taken over. It does so, too, if the predecessor has ended; one that has given
// this process up has closed the stream, and kills it now.
func (p *predecessor) tellReady() {
	p.wire.Write([]byte{wordReady})
	p.mu.Lock()
	p.ready = true
	p.mu.Unlock()
	p.dropRest()
	p.ask()
}

// endConns has it pass no more on, behind what is here. It finds that the stream has ended.
func (p *predecessor) endConns() { p.wire.CloseRead() }

// close ends what there is to do with it.
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
