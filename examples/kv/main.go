// Kv is a replicated key-value server and its client, on package raftkv. Three replicas on one machine:
//
//	go run ./examples/kv -self 127.0.0.1:7001 -dir /tmp/kv1 &
//	go run ./examples/kv -self 127.0.0.1:7002 -dir /tmp/kv2 &
//	go run ./examples/kv -self 127.0.0.1:7003 -dir /tmp/kv3 &
//	go run ./examples/kv put colour green
//	go run ./examples/kv swap colour green blue
//	go run ./examples/kv get colour
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
	dir := flag.String("dir", ".", "the directory of the replica's journal")
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
		if err := os.MkdirAll(*dir, 0o700); err != nil {
			log.Fatal(err)
		}
		run = raftkv.Replica{Self: *self, Peers: strings.Split(*peers, ","), Dir: *dir,
			Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Election: 500 * time.Millisecond}.Run
	}
	if err := runPatiently(ctx, run); err != nil {
		log.Fatal(err)
	}
	fmt.Print(answer) // not in a task: its loop would wait for whoever reads it
}

// inUseMax is for how long a replica tries to get its address. One that was killed a moment ago may have it still: the
// kernel ends its ring behind its end, see docs/environments.md.
const inUseMax = 10 * time.Second

// runPatiently is Run, again and again if the address is in use.
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

// ask does what the arguments say.
func ask(l *ringo.Loop, peers, args []string) (answer string, err error) {
	c := raftkv.Client{Peers: peers, Timeout: 2 * time.Second}
	defer c.Close()
	var e raftkv.Entry
	switch {
	case len(args) == 2 && args[0] == "get":
		e = raftkv.Entry{Kind: raftkv.Get, Key: []byte(args[1])}
	case len(args) == 3 && args[0] == "put":
		e = raftkv.Entry{Kind: raftkv.Put, Key: []byte(args[1]), Value: []byte(args[2])}
	case len(args) == 4 && args[0] == "swap":
		e = raftkv.Entry{Kind: raftkv.Swap, Key: []byte(args[1]), Old: []byte(args[2]), Value: []byte(args[3])}
	default:
		return "", errors.New("kv: want get KEY, put KEY VALUE, or swap KEY OLD NEW")
	}
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
