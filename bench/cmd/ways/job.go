//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A job is one measurement, in turns of depth messages on each socket. The first turns, a tenth of their number more,
// are not measured.
type job struct {
	group group
	cell  cell
	ports []int // the way's sockets

	peerCPU  int
	lent     *os.File // the peer's descriptor 3, if there is one
	peer     *exec.Cmd
	goOn     int // where the peer is told to go on
	back     int // where it tells that it has got all
	want     int // messages that are still missing in this turn
	turn     int
	begun    time.Duration // processor time at the end of the warm-up
	units    int           // how much was done since
	took     time.Duration // processor time of that
	start    time.Time
	wall     time.Duration
	extra    string
	finished bool
}

func measure(name string, turns, peerCPU int) error {
	runtime.LockOSThread()
	g, c, w, err := find(name)
	if err != nil {
		return err
	}
	c.turns = turns
	j := &job{group: g, cell: c, peerCPU: peerCPU, goOn: -1, back: -1, want: c.sockets * c.depth}
	defer j.stopPeer()
	if err := w.run(j); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	perTurn := j.wall / time.Duration(turns)
	fmt.Println(j.units, j.took.Seconds(), perTurn, j.extra)
	return nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startPeer starts the other process, with a pipe each way.
func (j *job) startPeer() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var to, from [2]int
	if err := errors.Join(unix.Pipe2(to[:], unix.O_CLOEXEC), unix.Pipe2(from[:], unix.O_CLOEXEC)); err != nil {
		return err
	}
	j.goOn, j.back = to[1], from[0]
	in, out := os.NewFile(uintptr(to[0]), "to the peer"), os.NewFile(uintptr(from[1]), "from the peer")
	defer in.Close()
	defer out.Close()
	args := []string{"-c", strconv.Itoa(j.peerCPU), self, "-peer", j.group.name + "/" + j.cell.name}
	for _, port := range j.ports {
		args = append(args, strconv.Itoa(port))
	}
	j.peer = exec.Command("taskset", args...)
	j.peer.Stdin, j.peer.Stdout, j.peer.Stderr = in, out, os.Stderr
	j.peer.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nobody waits for a peer that is left
	if j.lent != nil {
		j.peer.ExtraFiles = []*os.File{j.lent}
	}
	return j.peer.Start()
}

func (j *job) stopPeer() {
	if j.peer != nil && j.peer.Process != nil {
		j.peer.Process.Kill()
		j.peer.Wait()
	}
}

// came counts messages of the turn. When all have come the next one begins, of which a peer that waits is told.
func (j *job) came(n int) {
	for j.want -= n; j.want <= 0 && !j.finished; j.want += j.cell.sockets * j.cell.depth {
		if j.nextTurn(); j.group.paced && !j.finished {
			unix.Write(j.goOn, []byte{0})
		}
	}
}

// nextTurn counts a turn that is over.
func (j *job) nextTurn() {
	j.turn++
	warm := max(j.cell.turns/10, 1)
	switch {
	case j.turn == warm:
		j.begun, j.start = cpuTime(), time.Now()
	case j.turn > warm:
		j.units += j.cell.sockets * j.cell.depth
	}
	if j.turn >= warm+j.cell.turns {
		j.took, j.wall = cpuTime()-j.begun, time.Since(j.start)
		j.finished = true
	}
}
