// Keeper keeps what it is told in a log store. Each line of stdin is a key, a space and a value; when it is on the disk
// stdout gets "kept" and the key. With -get each line is a key, and stdout gets it with its value. Lines with the same
// key are kept in their order, so that the last one counts; others, and the answers, come in any. Blank lines are none.
// It ends with stdin, or at SIGTERM or SIGINT, when what was read by then is kept.
//
//	seq 1000 | sed 's/.*/& value of &/' | keeper DIR
//	seq 1000 | keeper -get DIR
package main

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"ringo"
	"ringo/examples/logstore"
)

const (
	tasks = 16 // of all loops, which wait for the disk together, each for keys of its own
	queue = 64 // lines that wait for a task, and answers for stdout
)

func main() {
	get := flag.Bool("get", false, "look keys up, and keep nothing")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: keeper [-get] DIR")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *get); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		os.Exit(1)
	}
}

// run is the keeper's work. Tasks must not wait for stdin and stdout, so two goroutines do.
func run(dir string, get bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := logstore.Open(dir, nil)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	do := keep
	if get {
		do = look
	}
	lines, answers := newQueues(), ringo.NewChan[string](queue)
	noMore := sync.OnceFunc(lines.close)
	context.AfterFunc(ctx, noMore)
	read, wrote := make(chan error, 1), make(chan error, 1)
	go func() { defer noMore(); read <- readLines(lines) }()
	go func() { wrote <- writeLines(answers) }()
	err = ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for i := l.Index(); i < tasks; i += len(l.Loops()) {
			g.Go(func() error { return work(s, lines.of[i], answers, do) })
		}
		return g.Wait()
	})
	answers.Close()
	err = cmp.Or(err, <-wrote, s.Close())
	select {
	case why := <-read: // stdin has ended, or can't be read
		err = cmp.Or(err, why)
	default: // a signal came first
	}
	return err
}

// queues are the lines for each task. All with one key are the same task's, which keeps them in order.
type queues struct {
	of   [tasks]*ringo.Chan[string]
	seed maphash.Seed
}

func newQueues() *queues {
	q := &queues{seed: maphash.MakeSeed()}
	for i := range q.of {
		q.of[i] = ringo.NewChan[string](queue)
	}
	return q
}

func (q *queues) send(text string) error {
	key, _, _ := strings.Cut(text, " ")
	return q.of[maphash.String(q.seed, key)%tasks].Send(text)
}

func (q *queues) close() {
	for _, lines := range q.of {
		lines.Close()
	}
}

// work is a task's: it answers lines until there are no more.
func work(s *logstore.Store, lines, answers *ringo.Chan[string],
	do func(*logstore.Store, string) (string, error)) error {
	for {
		text, err := lines.Recv()
		if err != nil {
			return nil // closed, and empty
		}
		answer, err := do(s, text)
		if err != nil {
			return err
		}
		if err := answers.Send(answer); err != nil {
			return err
		}
	}
}

func keep(s *logstore.Store, text string) (string, error) {
	key, value, _ := strings.Cut(text, " ")
	if _, err := s.Append(context.Background(), key, []byte(value)); err != nil {
		return "", fmt.Errorf("keeping %s: %w", key, err)
	}
	return "kept " + key, nil
}

func look(s *logstore.Store, key string) (string, error) {
	value, err := s.Get(key)
	if err != nil {
		return "", fmt.Errorf("getting %s: %w", key, err)
	}
	return key + " " + string(value), nil
}

// readLines is a goroutine's, and ends when nobody takes lines any more. A line whose end is missing is none, but at
// the end of stdin: it may be cut.
func readLines(lines *queues) error {
	for in := bufio.NewReader(os.Stdin); ; {
		text, err := in.ReadString('\n')
		whole := (err == nil || err == io.EOF) && strings.TrimSpace(text) != ""
		if whole && lines.send(strings.TrimSuffix(text, "\n")) != nil || err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading stdin: %w", err)
		}
	}
}

// writeLines is a goroutine's. After an error it goes on taking answers, for tasks wait for it.
func writeLines(answers *ringo.Chan[string]) (failed error) {
	for {
		text, err := answers.Recv()
		if err != nil {
			return failed
		}
		if failed == nil {
			_, failed = fmt.Println(text)
		}
	}
}
