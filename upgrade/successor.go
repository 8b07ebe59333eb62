package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"ringo"
	"ringo/internal/kernel"
)

// successor is the process that is to take over.
type successor struct {
	cmd    *exec.Cmd
	exited chan error // gets what it has ended with

	placing   sync.Mutex       // who gives and takes back places
	places    *ringo.Chan[int] // for connections, that it has asked for; closed when it has ended
	withdrawn int              // how often it wanted all places back: a place has the number that was current

	mu   sync.Mutex // of who writes
	wire *net.UnixConn
	bad  error // why nothing can be sent any more
}

// placesMax is how many calls of AcceptConn are known of at once.
const placesMax = 1024

// start starts a successor with all that is passed on. If it fails nothing is left of one.
func (u *Upgrader) start(ctx context.Context) (*successor, error) {
	names, files, err := u.gather()
	if err != nil {
		return nil, err
	}
	defer func() { closeAll(files) }()
	cmd, err := u.command()
	if err != nil {
		return nil, err
	}
	wire, theirs, err := wires()
	if err != nil {
		return nil, fmt.Errorf("upgrade: a stream to the successor: %w", err)
	}
	files = append(files, theirs)
	first := firstExtra + len(cmd.ExtraFiles)
	cmd.Env = append(environ(cmd), fmt.Sprintf("%s=%d:%d:%d", variable, os.Getpid(), first, len(files)))
	cmd.ExtraFiles = append(slices.Clip(cmd.ExtraFiles), files...)
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = time.Second // for what the command's own pipes still bring
	}
	if err := kernel.Unconfined(cmd.Start); err != nil {
		wire.Close()
		return nil, fmt.Errorf("upgrade: the successor can't be started: %w", err)
	}
	s := &successor{cmd: cmd, wire: wire, exited: make(chan error, 1), places: ringo.NewChan[int](placesMax)}
	go func() { s.exited <- cmd.Wait() }()
	list, _ := json.Marshal(names) // strings
	if _, err := s.send(ctx, frame{note: list, unread: []byte{wordWithdraw}}); err != nil {
		u.log.Debug("upgrade: the successor is told nothing", "error", err) // await says what has become of it
	}
	return s, nil
}

// environ is the successor's environment but for variable. Without a process in it the watchdog's is for the successor:
// sd_watchdog_enabled(3).
func environ(cmd *exec.Cmd) []string {
	ours := fmt.Sprint("WATCHDOG_PID=", os.Getpid())
	return slices.DeleteFunc(cmd.Environ(), func(v string) bool { return v == ours })
}

// firstExtra is the number that the first of exec.Cmd.ExtraFiles has in the child.
const firstExtra = 3

// command is the successor's command.
func (u *Upgrader) command() (*exec.Cmd, error) {
	if u.cfg.Command == nil {
		cmd := exec.Command(u.program)
		cmd.Args = slices.Clone(os.Args)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd, nil
	}
	cmd, err := u.cfg.Command()
	if err == nil && cmd == nil {
		err = errors.New("no command")
	}
	if err != nil {
		return nil, fmt.Errorf("upgrade: Config.Command: %w", err)
	}
	return cmd, nil
}

// await waits until the successor is ready. If it fails nothing is left of it.
func (s *successor) await(ctx context.Context) error {
	defer endBy(ctx, s.wire.SetReadDeadline)()
	var word [1]byte
	_, err := s.wire.Read(word[:])
	if err == nil && word[0] == wordReady {
		return nil
	}
	s.close()
	if ctx.Err() == nil && err != nil { // it has closed the stream, and likely ends
		timer := time.AfterFunc(endsWithin, func() { s.cmd.Process.Kill() })
		defer timer.Stop()
	} else {
		s.cmd.Process.Kill()
	}
	exit := <-s.exited
	switch {
	case err == nil:
		return fmt.Errorf("it said %q, which is no word of this package", word)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case exit == nil:
		exit = errors.New("exit status 0")
	}
	return fmt.Errorf("it ended before it was ready: %w", exit)
}

// endsWithin is how long a successor may take to end that has given up.
const endsWithin = time.Second

func (s *successor) pid() int { return s.cmd.Process.Pid }

// listen hears of places for connections until the successor ends, or says that it ends.
func (s *successor) listen() {
	defer s.closePlaces()
	words := make([]byte, placesMax)
	for {
		n, err := s.wire.Read(words)
		for _, word := range words[:n] {
			switch word {
			case wordPlace:
				s.places.TrySend(s.withdrawn)
			case wordWithdraw:
				s.withdraw()
			}
		}
		if err != nil {
			return
		}
	}
}

// withdraw gives the successor back all places that nobody has taken.
func (s *successor) withdraw() {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.withdrawn++
	s.giveBack(s.dropPlaces())
}

// giveBack tells the successor how many places it has got back. It does not wait: who hears the successor must not wait
// for that to hear this process.
func (s *successor) giveBack(places int) {
	go s.send(context.Background(), frame{note: make([]byte, places)})
}

// unused gives a place to another, or back, if the successor has wanted its places back since.
func (s *successor) unused(place int) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if place == s.withdrawn {
		s.places.TrySend(place)
	} else {
		s.giveBack(1)
	}
}

// closePlaces takes the places back that nobody has taken, so that no connection is passed on to nobody.
func (s *successor) closePlaces() {
	s.places.Close()
	s.dropPlaces()
}

func (s *successor) dropPlaces() (n int) {
	for {
		if _, ok := s.places.TryRecv(); !ok {
			return n
		}
		n++
	}
}

// send sends a frame, and reports whether any of it went out. If that is a part, it ends the stream, or the next would
// be taken for its rest.
func (s *successor) send(ctx context.Context, f frame) (sent bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad != nil {
		return false, s.bad
	}
	n, err := f.send(ctx, s.wire)
	if err != nil && n > 0 {
		s.bad = err
		s.wire.Close()
		s.closePlaces()
	}
	return n > 0, err
}

// end ends one that is not to be, and waits for that.
func (s *successor) end() {
	s.close()
	s.cmd.Process.Kill()
	<-s.exited
}

// close tells the successor that no more comes.
func (s *successor) close() { s.wire.Close() }
