// Keeper stores keys and values in a log store. Each line of stdin is a key, a space and a value; when it is on the
// disk, "kept" and the key go to stdout. With -get each line is a key, and the key and its value go to stdout. Lines
// with the same key are stored in their order, so that the last one counts; other lines, and the answers, may change
// places. Blank lines are ignored. Keeper ends with stdin, or at SIGTERM or SIGINT, once it has stored what it has
// read.
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
	tasks = 16 // on all loops together; each has keys of its own
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

// run runs the tasks, and two goroutines for stdin and stdout: a task that waited for those would stop its loop.
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

// queues are the lines for each task. All lines with the same key go to the same task, which keeps their order.
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

// work answers lines until there are no more. Each task runs it.
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

// readLines runs on a goroutine, and ends when the queues are closed. It ignores a line without its end: the line may
// be cut off. At the end of stdin such a line counts.
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

// writeLines runs on a goroutine. After an error it still takes answers, since tasks wait until they are taken.
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
