//go:build linux

package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"ringo"
	"ringo/proc"
)

// A task runs a command and gets what it has written, as with os/exec. Other tasks of the loop go on meanwhile.
func ExampleCommand() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		out, err := proc.Command("echo", "hello").Output()
		fmt.Printf("%s", out)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// A command that takes too long is killed.
func ExampleCmd_Run() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.WithTimeout(10*time.Millisecond, func() error { return proc.Command("sleep", "1000").Run() })
	})
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

// A command's output is read while it runs, and other tasks of the loop go on.
func ExampleCmd_StdoutPipe() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		cmd := proc.CommandContext(l.Context(), "sh", "-c", "echo one; echo two")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Println("it says", lines.Text())
		}
		return cmd.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// it says one
	// it says two
}
