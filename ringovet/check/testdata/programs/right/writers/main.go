// One helper for a file, on a goroutine, and for a connection, in a task.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"sort"

	"ringo/sock"
)

type encoder struct{ level int }

func (e *encoder) line(w io.Writer, s string) { fmt.Fprintln(w, s) }

func table(w io.Writer, rows []string) {
	row := func(s string) { fmt.Fprintf(w, "|%s|", s) }
	for _, s := range rows {
		row(s)
	}
	each(rows, func(s string) { io.WriteString(w, s) })
}

func each(list []string, visit func(string)) {
	for _, s := range list {
		visit(s)
	}
}

func main() {
	e := &encoder{}
	e.line(os.Stdout, "begin")
	table(os.Stdout, nil)
	names := []string{"b", "a"}
	each(names, func(s string) { fmt.Println(s) })
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "begin")
	out.Flush()
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		e.line(c, "hello")
		table(c, []string{"a"})
		var sum int
		each(names, func(s string) { sum += len(s) })
		w := bufio.NewWriter(c)
		fmt.Fprintln(w, sum)
		w.Flush()
		sort.Slice(names, func(i, j int) bool { return names[i] < names[j] })
	}))
}
