package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ringo"
	"ringo/examples/kv/raftkv"
	"ringo/logs"
)

func main() {
	self := flag.String("self", "", "serve as the replica of this address, one of -peers")
	peers := flag.String("peers", "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003", "the addresses of all replicas")
	dir := flag.String("dir", ".", "the directory of the replica's log and snapshots; its parent has to exist")
	join := flag.Bool("join", false, "be a new replica beside -peers, which waits to be added")
	snapshot := flag.Uint64("snapshot", 0, "make a snapshot each time that so many entries came; 0: 10,000")
	flag.Parse()
	log.SetOutput(logs.NewWriter(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	answer := ""
	run := func(l *ringo.Loop) (err error) {
		answer, err = ask(l, strings.Split(*peers, ","), flag.Args())
		return err
	}
	if *self != "" {
		if err := raftkv.MakeDir(*dir); err != nil {
			log.Fatal(err)
		}
		run = raftkv.Replica{Self: *self, Peers: strings.Split(*peers, ","), Join: *join, Dir: *dir,
			Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Election: 500 * time.Millisecond,
			Snapshot: *snapshot}.Run
	}
	if err := runPatiently(ctx, run); err != nil {
		log.Fatal(err)
	}
	fmt.Print(answer) // not in a task: a slow reader of stdout would stop the loop
}

// inUseMax is how long a replica tries to get its address. A replica that was killed a moment ago may still hold it:
// the kernel closes the sockets of its ring some time after the process has ended; see docs/operating.md.
const inUseMax = 10 * time.Second

// runPatiently calls Run, and calls it again while the address is in use.
func runPatiently(ctx context.Context, run func(*ringo.Loop) error) error {
	for begin := time.Now(); ; {
		err := ringo.Run(ctx, &ringo.Config{Loops: 1}, run)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Since(begin) > inUseMax {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// words is the number of words of each command.
var words = map[raftkv.Kind]int{raftkv.Get: 2, raftkv.Put: 3, raftkv.Swap: 4, raftkv.Add: 2, raftkv.Promote: 2,
	raftkv.Remove: 2}

// ask asks the replicas for what the arguments say.
func ask(l *ringo.Loop, peers, args []string) (answer string, err error) {
	if len(args) == 0 || len(args) != words[raftkv.Kind(args[0])] {
		return "", errors.New("kv: want get KEY, put KEY VALUE, swap KEY OLD NEW, or add, promote or remove ADDRESS")
	}
	e := raftkv.Entry{Kind: raftkv.Kind(args[0]), Key: []byte(args[1])}
	if len(args) > 2 {
		e.Value = []byte(args[len(args)-1])
	}
	if e.Kind == raftkv.Swap {
		e.Old = []byte(args[2])
	}
	c := raftkv.Client{Peers: peers, Timeout: 2 * time.Second}
	defer c.Close()
	err = l.WithTimeout(20*time.Second, func() error {
		rep, err := c.Do(l, e)
		switch e.Kind {
		case raftkv.Get:
			answer = fmt.Sprintln(string(rep.Value))
		case raftkv.Swap:
			answer = fmt.Sprintln(rep.OK)
		}
		return err
	})
	return answer, err
}
