package logs_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"

	"ringo"
	"ringo/logs"
)

// A logger that tasks can use, since it never waits for its output.
func ExampleNewWriter() {
	w := logs.NewWriter(os.Stdout, nil)
	defer w.Close()
	logger := log.New(w, "server: ", 0) // a program calls log.SetOutput
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		logger.Print("a loop runs")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	logger.Print("all loops have ended")
	// Output:
	// server: a loop runs
	// server: all loops have ended
}

// A handler of log/slog, for slog.SetDefault.
func ExampleNewJSONHandler() {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	h := logs.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: noTime}, nil)
	defer h.Close()
	logger := slog.New(h)
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		logger.Info("serving", "loop", l.Index())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"level":"INFO","msg":"serving","loop":0}
}

// What does not fit the buffer, because the output is slower than the program, is dropped and counted.
func ExampleWriter_Stats() {
	r, out := io.Pipe() // an output that blocks until somebody reads it
	w := logs.NewWriter(out, &logs.Config{Size: 4096})
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for range 100 {
			fmt.Fprintln(w, strings.Repeat("x", 99))
		}
		s := w.Stats()
		fmt.Println(s.Dropped > 0, s.Written+s.Dropped+uint64(s.Held))
		go io.Copy(io.Discard, r)
		return w.Flush(l.Context())
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	out.Close()
	// Output: true 100
}
