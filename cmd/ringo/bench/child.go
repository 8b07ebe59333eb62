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

// childFlag is the argument with which ringo bench starts itself as a child: a server, a load for servers, or a user of
// files. The environment variable childVariable has its childConfig. Questions come by stdin and answers go to stdout,
// a line of JSON each. A child ends when its stdin does.
const (
	childFlag     = "-child"
	childVariable = "RINGO_BENCH_CHILD"
)

// childConfig says what a child does.
type childConfig struct {
	Kind    string // server, load, file
	On      string // a driver, or package net or os
	Handler string // of a server on Ringo: conn, or request, which is the default
	Loops   int
	Place   ringo.Placement
	Spin    time.Duration
}

// childAddress is the first line of a child's stdout.
type childAddress struct {
	TCP, HTTP, UDP string // addresses
	Driver         string // driver of its loops; "": it has none
	Error          string
}

// answer is the answer to a question.
type answer struct {
	Sample
	Error string
}

// child is a process of this program's own executable.
type child struct {
	childAddress
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	words tail
}

// anyCPU is the cpu of startChild for a child that may run on any.
const anyCPU = -1

// startChild starts a child and waits until it is ready. cpu counts the CPUs that the process may use, or is anyCPU.
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

// startOn starts a process on a CPU, counted in the order in which loops get them. A process inherits the affinity of
// the thread that starts it; so a loop that is bound to the CPU starts it.
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

const patience = 20 * time.Second // how long to wait for an answer of a child

// ask sends a question to a child and returns its answer.
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

// receive decodes one line. It kills a child that does not answer within patience.
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

// lost stops a child that has failed, and returns err with what the child wrote to stderr.
func (c *child) lost(err error) error {
	c.stop()
	if text := c.words.String(); text != "" {
		return fmt.Errorf("%s: %w: %s", c.name, err, text)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// stop ends the child and waits for its end.
func (c *child) stop() {
	c.in.Close()
	late := time.AfterFunc(patience/4, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	c.cmd.Wait()
}

// tail keeps the last tailMax bytes that a child wrote to stderr.
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

// beChild is the main function of a child.
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

// pipe is a child's connection to its parent.
type pipe struct {
	in   *json.Decoder
	out  *json.Encoder
	said bool // the first line was sent
}

func (c *pipe) ready(r childAddress) {
	c.said = true
	c.out.Encode(r)
}

// untilEnd waits for the end of stdin, in a child that gets no questions.
func (c *pipe) untilEnd() {
	for {
		if err := c.in.Decode(new(any)); err != nil {
			return
		}
	}
}

// answers answers questions, one after the other, until stdin ends.
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

// config returns the Config of a child's Run.
func (s *childConfig) config() *ringo.Config {
	c := &ringo.Config{Driver: s.On, Loops: s.Loops, Place: s.Place, Spin: s.Spin, Grace: -1}
	if s.On == autoDriver {
		c.Driver = ""
	}
	return c
}

const autoDriver = "auto"
