package file_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"ringo"
	"ringo/file"
)

// A task writes a file and reads it, by os.File's methods. While it waits for the disk, other tasks of its loop run.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	err = ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		f, err := file.Create(filepath.Join(dir, "greeting"))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString("hello, world"); err != nil {
			return err
		}
		p := make([]byte, 5)
		_, err = f.ReadAt(p, 7)
		fmt.Printf("%s\n", p)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: world
}

// Whoever opens the file finds the old content or the new, never a part of either, even after a crash.
func ExampleWriteFileAtomic() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "state.json")
	for _, state := range []string{`{"version": 1}`, `{"version": 2}`} {
		if err := file.WriteFileAtomic(name, []byte(state), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	got, err := file.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", got)
	// Output: {"version": 2}
}

// Names that come from elsewhere, such as a request, can't lead out of the directory.
func ExampleOpenRoot() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := file.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"b.txt", "a.txt"} {
		if err := root.WriteFile(name, []byte("text of "+name), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	entries, err := root.ReadDir(".")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(entries[0].Name(), entries[1].Name())
	_, err = root.Open("../secret")
	fmt.Println(errors.Is(err, file.ErrEscapes))
	// Output:
	// a.txt b.txt
	// true
}

// The pieces of a file that an index names are read at the same time, and not one after the other.
func ExampleFile_ReadRanges() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "records")
	if err := file.WriteFile(name, []byte("one  two  threefour "), 0o600); err != nil {
		log.Fatal(err)
	}
	f, err := file.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var records []file.ReadRange
	for _, index := range []int64{3, 0, 2} {
		records = append(records, file.ReadRange{Off: 5 * index, P: make([]byte, 5)})
	}
	if err := f.ReadRanges(records); err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Printf("%q\n", r.P[:r.N])
	}
	// Output:
	// "four "
	// "one  "
	// "three"
}
