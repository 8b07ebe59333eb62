package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"ringo"
)

// childFlag is the argument by which ringo bench starts itself for a server, for what loads
// servers, or for what uses files. What it is to be comes by a variable, questions by stdin
// and answers by stdout, a line of JSON each. It ends with its stdin.
const (
	childFlag     = "-child"
	childVariable = "RINGO_BENCH_CHILD"
)

// childConfig says what a child is to be.
type childConfig struct {
	Kind    string // server, load, file
	On      string // a driver, or package net or os
	Handler string // of a server on Ringo: request, or conn
	Loops   int
	Place   ringo.Placement
	Spin    time.Duration
}

// childAddress is a child's first line.
type childAddress struct {
	TCP, HTTP, UDP string // addresses
	Driver         string // that it runs on, if any
	Error          string
}

// answer is what comes of a question.
type answer struct {
	Sample
	Error string
}

// child is a process of this program's own file.
type child struct {
	childAddress
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	words tail
}

// anyCPU has a child run wherever the system likes.
const anyCPU = -1

// startChild starts one, on a CPU of the process's list or on any, and waits until it is ready.
func startChild(name string, s childConfig, cpu int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: exec.Command(self, "bench", childFlag)}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	c.cmd.Stderr = &c.words
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := startOn(cpu, c.cmd); err != nil {
		return nil, err
	}
	if err := c.receive(&c.childAddress); err != nil {
		return nil, err
	}
	if c.Error != "" {
		c.stop()
		return nil, errors.New(c.Error)
	}
	return c, nil
}

// startOn starts a process on a CPU, by the order in which loops get them. A process inherits the place of the thread
// that starts it, and the thread of a loop that is bound has the right one.
func startOn(cpu int, cmd *exec.Cmd) error {
	if cpu == anyCPU {
		return cmd.Start()
	}
	cfg := &ringo.Config{Loops: cpu + 1, Place: ringo.PerCPU}
	return ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
		if l.Index() != cpu {
			return nil
		}
		return cmd.Start() //ringo:offloaded there is no other task whom that would hold up
	})
}

const patience = 20 * time.Second // for an answer of a child

// ask has a child answer a question.
func (c *child) ask(question any) (Sample, error) {
	if err := json.NewEncoder(c.in).Encode(question); err != nil {
		return Sample{}, c.lost(err)
	}
	var a answer
	if err := c.receive(&a); err != nil {
		return Sample{}, err
	}
	if a.Error != "" {
		return Sample{}, errors.New(a.Error)
	}
	return a.Sample, nil
}

// receive takes a line. A child that does not answer is killed.
func (c *child) receive(into any) error {
	late := time.AfterFunc(patience, func() { c.cmd.Process.Kill() })
	err := c.out.Decode(into)
	if !late.Stop() {
		err = fmt.Errorf("no answer in %v", patience)
	}
	if err != nil {
		return c.lost(err)
	}
	return nil
}

// lost ends a child that is of no use any more, and says why.
func (c *child) lost(err error) error {
	c.stop()
	if text := c.words.String(); text != "" {
		return fmt.Errorf("%s: %w: %s", c.name, err, text)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// stop ends it and waits for that.
func (c *child) stop() {
	c.in.Close()
	late := time.AfterFunc(patience/4, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	c.cmd.Wait()
}

// tail is the end of what a child says on stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailMax = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if more := len(t.text) - tailMax; more > 0 {
		t.text = append(t.text[:0], t.text[more:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// beChild is the child's side.
func beChild(stdout io.Writer) error {
	signal.Ignore(os.Interrupt) // a terminal sends it to the whole group; the parent says when to end
	var s childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &s); err != nil {
		return fmt.Errorf("%s is for ringo bench alone: %w", childFlag, err)
	}
	up := &pipe{in: json.NewDecoder(os.Stdin), out: json.NewEncoder(stdout)}
	var err error
	switch s.Kind {
	case "server":
		err = s.serve(up)
	case "load":
		err = s.load(up)
	case "file":
		err = s.files(up)
	default:
		err = fmt.Errorf("no kind of child is called %q", s.Kind)
	}
	if err != nil && !up.said {
		up.ready(childAddress{Error: err.Error()})
		return nil
	}
	return err
}

// pipe is what connects a child with its parent.
type pipe struct {
	in   *json.Decoder
	out  *json.Encoder
	said bool // that it is ready, or why it isn't
}

func (c *pipe) ready(r childAddress) {
	c.said = true
	c.out.Encode(r)
}

// untilEnd waits for the end of stdin, where no questions come.
func (c *pipe) untilEnd() {
	for {
		if err := c.in.Decode(new(any)); err != nil {
			return
		}
	}
}

// answers answers questions, one after the other, until there are no more.
func answers[Q any](c *pipe, reply func(q Q) (Sample, error)) error {
	for {
		var q Q
		if err := c.in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a := answer{}
		var err error
		if a.Sample, err = reply(q); err != nil {
			a.Error = err.Error()
		}
		if err := c.out.Encode(a); err != nil {
			return err
		}
	}
}

// config is how a child on Ringo runs.
func (s *childConfig) config() *ringo.Config {
	c := &ringo.Config{Driver: s.On, Loops: s.Loops, Place: s.Place, Spin: s.Spin, Grace: -1}
	if s.On == autoDriver {
		c.Driver = ""
	}
	return c
}

const autoDriver = "auto"
