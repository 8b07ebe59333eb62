package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// waitingConns is how many connections wait to be accepted before the predecessor has to.
const waitingConns = 16

// wordReady is what a successor says when it is ready.
const wordReady = 'R'

// predecessor is the process that has started this one.
type predecessor struct {
	pid   int
	wire  *net.UnixConn
	conns *ringo.Chan[frame] // that it passes on

	mu    sync.Mutex
	names []string
	files []*os.File // nil: taken
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
	case os.Getppid() != pid:
		return nil, fmt.Errorf("%s is of process %d, and the parent is %d: what starts the program has to replace "+
			"itself by it (exec)", variable, pid, os.Getppid())
	}
	var files []*os.File
	for fd := first; fd < first+n; fd++ {
		if res := (kernel.Host{}).SetCloexec(int32(fd)); res < 0 {
			closeAll(files)
			return nil, fmt.Errorf("%s is %q, and descriptor %d: %w", variable, said, fd, posix.Errno(-res))
		}
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprint("inherited descriptor ", fd)))
	}
	p := &predecessor{pid: pid, files: files[:n-1], conns: ringo.NewChan[frame](waitingConns)}
	if p.wire, err = wireOf(files[n-1]); err != nil {
		closeAll(p.files)
		return nil, err
	}
	if err := p.readNames(); err != nil {
		p.wire.Close()
		closeAll(p.files)
		return nil, err
	}
	go p.receive()
	return p, nil
}

// readNames gets the names of the files.
func (p *predecessor) readNames() error {
	var f frame
	err := f.receive(p.wire, namesMax)
	if err == io.EOF {
		return errors.New("the predecessor has ended, or given this process up")
	}
	if err == nil {
		err = json.Unmarshal(f.note, &p.names)
	}
	if err == nil && len(p.names) != len(p.files) {
		err = fmt.Errorf("%d names of %d files", len(p.names), len(p.files))
	}
	return err
}

// receive takes in connections until the predecessor ends.
func (p *predecessor) receive() {
	defer p.conns.Close()
	for {
		var f frame
		err := f.receive(p.wire, noteMax)
		if errors.Is(err, errNoFile) {
			continue
		}
		if err != nil || p.conns.Send(f) != nil {
			f.close()
			return
		}
	}
}

// take takes the first file of a name.
func (p *predecessor) take(name string) *os.File {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.files {
		if f != nil && p.names[i] == name {
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

// tellReady says that this process has taken over.
func (p *predecessor) tellReady() error {
	if _, err := p.wire.Write([]byte{wordReady}); err != nil && os.Getppid() == p.pid {
		return fmt.Errorf("upgrade: the predecessor, process %d, has given this process up: %w", p.pid, err)
	}
	p.dropRest()
	return nil
}

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
