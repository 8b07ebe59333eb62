package sockhttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"

	"ringo"
	"ringo/file"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// A server whose handlers run on goroutines, but for one that is marked. It ends in order on an interrupt.
func ExampleListenAndServe() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user %s\n", r.PathValue("id")) // where a database is asked, which may take a while
	})
	mux.Handle("GET /ping", sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "pong\n")
	})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := sockhttp.ListenAndServe(ctx, nil, "127.0.0.1:8080", mux); err != nil {
		log.Fatal(err)
	}
}

// The same, with a client. BaseContext is called with each loop's listener, whose port the system has chosen here.
func ExampleServer_ListenAndServe() {
	addr := make(chan net.Addr, 1)
	server := &sockhttp.Server{
		Handler: sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello, %s\n", r.URL.Query().Get("name"))
		})),
		BaseContext: func(ln net.Listener) context.Context {
			addr <- ln.Addr()
			return context.Background()
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		printPage(http.DefaultClient, fmt.Sprintf("http://%v/?name=world", <-addr))
	}()
	if err := server.ListenAndServe(ctx, &ringo.Config{Loops: 1}, "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // the answer has been printed
	// Output: hello, world
}

// printPage asks for a page and prints it.
func printPage(client *http.Client, url string) {
	answer, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		log.Fatal(err)
	}
}

// An http.Client in a task, whose loop goes on while it waits for the server.
func ExampleTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a page\n")
	}))
	defer server.Close()
	transport := &sockhttp.Transport{} // one for the whole program: it keeps connections
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		answer, err := client.Get(server.URL)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: a page
}

// Files are served by tasks, below a directory that no name and no link leads out of. Files has choices.
func ExampleFileServer() {
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
	if err := root.WriteFile("page.txt", []byte("a page\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	err = ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0") // a program calls sockhttp.ListenAndServe
		if err != nil {
			return err
		}
		defer ln.Close()
		server := &sockhttp.Server{Handler: sockhttp.FileServer(root)}
		l.Go(func() { server.Serve(ln) })
		transport := &sockhttp.Transport{}
		defer transport.CloseIdleConnections()
		printPage(&http.Client{Transport: transport}, "http://"+ln.Addr().String()+"/page.txt")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: a page
}
