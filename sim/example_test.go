package sim_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"strconv"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
	"ringo/sock"
)

// standIn is what these examples have in the place of a test's *testing.T.
type standIn struct{ testing.TB }

func (standIn) Helper()                           {}
func (standIn) Name() string                      { return "TestProgram" }
func (standIn) Failed() bool                      { return false }
func (standIn) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (standIn) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

// A test of code that takes a connection. Its minute takes no time, and what it leaves open makes it fail.
func ExampleRunLoop() {
	t := standIn{} // the test's *testing.T
	sim.RunLoop(t, func(l *ringo.Loop) error {
		client, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer client.Close()
		l.Go(func() {
			defer server.Close()
			l.Sleep(time.Minute)
			io.WriteString(server, "late")
		})
		begun := l.Now()
		answer, err := io.ReadAll(client)
		fmt.Printf("%s, after %v\n", answer, l.Now().Sub(begun).Round(time.Second))
		return err
	})
	// Output: late, after 1m0s
}

// echoes is the program of a server.
func echoes(l *ringo.Loop) error {
	ln, err := sock.Listen(l, "tcp", ":7000")
	if err != nil {
		return err
	}
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() {
			defer c.Close()
			io.Copy(c, c)
		})
	}
}

// Two programs on two hosts, and a network that takes a second each way.
func ExampleRun() {
	t := standIn{} // the test's *testing.T
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Second}
		w.Host("server").Run(&ringo.Config{Loops: 1}, echoes)
		client := w.Host("client").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			asked := l.Now()
			io.WriteString(c, "hello")
			answer := make([]byte, 5)
			_, err = io.ReadFull(c, answer)
			fmt.Printf("%s, after %v\n", answer, l.Now().Sub(asked).Round(time.Second))
			return err
		})
		w.Check(w.Wait(client))
	})
	// Output: hello, after 2s
}

// saved returns the number that save has saved, 0 at first.
func saved() (int, error) {
	text, err := file.ReadFile("/data/number")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

func save(n int) error { return file.WriteFileAtomic("/data/number", fmt.Append(nil, n), 0o600) }

// A host loses power again and again, in each world at other moments. What save has saved must not be lost, which
// the program checks when it is started again. With file.WriteFile in save this fails, and the report has the seed.
func ExampleExplore() {
	t := standIn{} // the test's *testing.T
	sim.Explore(t, 20, func(w *sim.World) {
		host := w.Host("server")
		host.Disk = sim.Disk{Latency: time.Millisecond, Sync: 10 * time.Millisecond}
		acknowledged := 0
		host.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			found, err := saved()
			if !w.Check(err) || found < acknowledged {
				w.Errorf("%d was saved, and %d is there", acknowledged, found)
			}
			acknowledged = found // it may have been saved just before a crash
			for n := found + 1; n <= 100; n++ {
				if err := save(n); err != nil {
					return err
				}
				acknowledged = n
			}
			return nil
		})
		w.Storm(time.Minute, sim.Storm{Crash: time.Second})
		if !w.RunUntil(time.Hour, func() bool { return acknowledged == 100 }) {
			w.Errorf("it has come to %d in an hour", acknowledged)
		}
	})
	fmt.Println("nothing is lost")
	// Output: nothing is lost
}
