package logstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"ringo/examples/logstore"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := logstore.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, price := range []string{"9", "10"} {
		if _, err := s.Append(context.Background(), "apples", []byte(price)); err != nil {
			log.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // or a crash
		log.Fatal(err)
	}
	if s, err = logstore.Open(dir, nil); err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	price, err := s.Get("apples")
	fmt.Println(string(price), err)
	// Output: 10 <nil>
}
