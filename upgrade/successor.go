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

// successor is a process that this one has started to take over.
type successor struct {
	cmd    *exec.Cmd
	exited chan error // gets the error of cmd.Wait

	placing   sync.Mutex       // held to give places and to take them back
	places    *ringo.Chan[int] // each for a connection that it has asked for; closed when it has ended
	withdrawn int              // how often it has asked for all places back; each place has the count of its time

	mu   sync.Mutex // held to write to wire
	wire *net.UnixConn
	bad  error // why nothing more can be sent
}

// placesMax is how many connections a successor asks for at once, however many calls of AcceptConn wait.
const placesMax = 1024

// start starts a successor with everything that is passed on. If start fails, no process is left.
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
		cmd.WaitDelay = time.Second // for what is still in the command's own pipes
	}
	if err := kernel.Unconfined(cmd.Start); err != nil {
		wire.Close()
		return nil, fmt.Errorf("upgrade: the successor can't be started: %w", err)
	}
	s := &successor{cmd: cmd, wire: wire, exited: make(chan error, 1), places: ringo.NewChan[int](placesMax)}
	go func() { s.exited <- cmd.Wait() }()
	list, _ := json.Marshal(names) // can't fail: strings
	if _, err := s.send(ctx, frame{note: list, unread: []byte{wordWithdraw}}); err != nil {
		u.log.Debug("upgrade: the successor is told nothing", "error", err) // await finds out why
	}
	return s, nil
}

// environ returns the successor's environment, to which start adds variable. It drops WATCHDOG_PID if that is this
// process: without it, the watchdog's variables are for the successor (sd_watchdog_enabled(3)).
func environ(cmd *exec.Cmd) []string {
	ours := fmt.Sprint("WATCHDOG_PID=", os.Getpid())
	return slices.DeleteFunc(cmd.Environ(), func(v string) bool { return v == ours })
}

// firstExtra is the descriptor that the first of exec.Cmd.ExtraFiles has in the child.
const firstExtra = 3

// command returns the command that starts the successor.
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

// await waits until the successor is ready. If it fails, the successor's process has ended.
func (s *successor) await(ctx context.Context) error {
	defer endBy(ctx, s.wire.SetReadDeadline)()
	var word [1]byte
	_, err := s.wire.Read(word[:])
	if err == nil && word[0] == wordReady {
		return nil
	}
	s.close()
	if ctx.Err() == nil && err != nil { // it has closed the stream, so it is likely ending
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

// endsWithin is how long a successor that has given up may take to end before it is killed.
var endsWithin = 10 * time.Second

func (s *successor) pid() int { return s.cmd.Process.Pid }

// listen reads the successor's words, which ask for connections, until the successor ends or closes the stream.
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

// withdraw gives back to the successor all places that no PassConn has taken.
func (s *successor) withdraw() {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.withdrawn++
	s.giveBack(s.dropPlaces())
}

// giveBack tells the successor how many places it has got back. It sends on a goroutine: listen calls it, and must go
// on reading the successor's words even if the successor does not read.
func (s *successor) giveBack(places int) {
	go s.send(context.Background(), frame{note: make([]byte, places)})
}

// unused returns a place that its PassConn has not used: to the others or, if the successor has asked for its places
// back meanwhile, to the successor.
func (s *successor) unused(place int) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if place == s.withdrawn {
		s.places.TrySend(place)
	} else {
		s.giveBack(1)
	}
}

// closePlaces drops the places that no PassConn has taken, so that no connection goes to a successor that has ended.
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

// send sends a frame, and reports whether any of it went out. If only a part did, send closes the stream: otherwise the
// successor would take the next frame for the rest of this one.
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

// end kills a successor that must not take over, and waits until it has ended.
func (s *successor) end() {
	s.close()
	s.cmd.Process.Kill()
	<-s.exited
}

// close closes the stream, which tells the successor that nothing more comes.
func (s *successor) close() { s.wire.Close() }
