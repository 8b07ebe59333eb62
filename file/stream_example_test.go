package file_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

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
