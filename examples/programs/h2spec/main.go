// H2spec serves HTTP/2 by sockhttp, runs github.com/summerwind/h2spec against it, and compares the cases that failed
// with those that are accepted. See .ci/peers.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"time"

	"ringo"
	"ringo/examples/programs/internal/selfsigned"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	way := flag.String("way", "task", "task, goroutine, or tls")
	spec := flag.String("run", "", "h2spec")
	accepted := flag.String("accepted", "", "a file with the cases that fail")
	flag.Parse()
	if err := run(*way, *spec, *accepted); err != nil {
		log.Fatal(err)
	}
}

// answersAfter keeps each stream open for a moment: violations on a stream that has ended are ignored.
const answersAfter = 20 * time.Millisecond

const greeting = "Hello, World!"

func run(way, spec, accepted string) error {
	s := &sockhttp.Server{Protocols: new(http.Protocols), ErrorLog: slog.New(slog.DiscardHandler)}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		time.Sleep(answersAfter)
		io.WriteString(w, greeting)
	})
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	certificate, _, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	set, err := new(sock.ListenConfig).Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer set.Close()
	_, port, err := net.SplitHostPort(set.Addr().String())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			if way == "task" {
				s.Handler = sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					l.Sleep(answersAfter)
					io.WriteString(w, greeting)
				}))
			}
			if way == "tls" {
				err = s.ServeTLS(ln, "", "")
			} else {
				err = s.Serve(ln)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		})
	}()
	args := []string{"-h", "127.0.0.1", "-p", port}
	if way == "tls" {
		args = append(args, "-t", "-k")
	}
	out, _ := exec.Command(spec, args...).CombinedOutput() // fails if any case does
	cancel()
	return errors.Join(compare(way, string(out), accepted), <-ended)
}
