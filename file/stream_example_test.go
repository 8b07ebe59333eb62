package file_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"ringo"
	"ringo/file"
)

// A file is copied with several reads and several writes in flight.
func ExampleNewReader() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte(strings.Repeat("ringo ", 100_000)), 0o600); err != nil {
		log.Fatal(err)
	}
	fmt.Println(copyFile(to, from))
	// Output: 600000 <nil>
}

func copyFile(to, from string) (n int64, err error) {
	src, err := file.Open(from)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := file.Create(to)
	if err != nil {
		return 0, err
	}
	defer dst.Close()
	r, err := file.NewReader(src, nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	w, err := file.NewWriter(dst, nil)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(w, r)
	if closed := w.Close(); err == nil {
		err = closed // or else what is still in flight
	}
	return n, err
}

// Tasks that write one log together: each line is in one piece, also beside other processes that append to the file.
func ExampleWriter() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "log")
	err = ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		f, err := file.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		w, err := file.NewWriter(f, nil)
		if err != nil {
			return err
		}
		var tasks []*ringo.Task
		for i := range 3 {
			tasks = append(tasks, l.Go(func() { fmt.Fprintln(w, "task", i) }))
		}
		for _, task := range tasks {
			task.Wait()
		}
		return w.Close() // an error of any of them
	})
	if err != nil {
		log.Fatal(err)
	}
	lines, err := os.ReadFile(name)
	fmt.Print(string(lines), err, "\n")
	// Output:
	// task 0
	// task 1
	// task 2
	// <nil>
}
