//go:build linux

package proc_test

import (
	"bufio"
	"context"
	"fmt"
	"log"

	"ringo"
	"ringo/proc"
)

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
