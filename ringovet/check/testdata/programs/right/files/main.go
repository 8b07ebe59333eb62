// Files that are copied to a connection, which knows what to do with them.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"

	"ringo/file"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	page, err := os.Open("page")
	if err != nil {
		log.Fatal(err)
	}
	root, err := file.OpenRoot(".")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/task/", sockhttp.FileServer(root))
	mux.Handle("/marked/", sockhttp.Task(http.StripPrefix("/marked", &sockhttp.Files{Root: root})))
	mux.Handle("/goroutine/", http.FileServer(http.Dir(".")))
	go sockhttp.ListenAndServe(context.Background(), nil, ":8080", mux)
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		io.Copy(c, page)
		f, err := file.Open("other")
		if err != nil {
			return
		}
		defer f.Close()
		io.Copy(c, f)
		w, err := file.NewWriter(f, nil)
		if err != nil {
			return
		}
		defer w.Close()
		io.WriteString(w, "x")
	}))
}
